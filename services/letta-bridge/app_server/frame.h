#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "json/text_of.h"
#include "json/value.h"
#include "json/write.h"

namespace god33::letta::app_server {

// Where a frame belongs: one conversation of one agent.
struct Runtime {
  std::string agent_id;
  std::string conversation_id;

  friend bool operator==(const Runtime&, const Runtime&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const Runtime& runtime) {
    return H::combine(std::move(h), runtime.agent_id, runtime.conversation_id);
  }
};

// What the server sent: a JSON object with a type. Cheap to copy.
class Frame {
 public:
  // InvalidArgument for what is no such object.
  static absl::StatusOr<Frame> Parse(std::string text);

  const std::string& type() const { return type_; }
  const std::string& request_id() const { return request_id_; }  // or empty
  const std::optional<Runtime>& runtime() const { return runtime_; }
  json::Value body() const { return body_; }
  std::size_t size() const { return text_->size(); }

 private:
  Frame(std::shared_ptr<const std::string> text, json::Value body)
      : text_(std::move(text)), body_(body) {}

  std::shared_ptr<const std::string> text_;  // what the body looks into
  json::Value body_;
  std::string type_;
  std::string request_id_;
  std::optional<Runtime> runtime_;
};

// ---- Reading: a member that is missing or of another kind counts as empty.

bool IsTrue(json::Value object, std::string_view key);
std::int64_t IntOf(json::Value object, std::string_view key);
std::optional<json::Value> ObjectOf(json::Value object, std::string_view key);

// No elements for what is no array.
json::Elements ElementsOf(json::Value object, std::string_view key);

// ---- Writing.

using Members = absl::FunctionRef<void(json::Writer&)>;

// A command: its type, its request_id unless that is empty, and further members.
std::string Command(std::string_view type, std::string_view request_id, Members members);

void WriteMember(json::Writer& writer, std::string_view key, std::string_view text);
void WriteRuntime(json::Writer& writer, const Runtime& runtime);

}  // namespace god33::letta::app_server
