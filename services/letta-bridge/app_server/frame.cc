#include "services/letta-bridge/app_server/frame.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace god33::letta::app_server {

absl::StatusOr<Frame> Frame::Parse(std::string text) {
  auto shared = std::make_shared<const std::string>(std::move(text));
  const auto body = json::Value::Parse(*shared);
  if (!body.ok()) return InvalidArgument(StrCat("it sent no JSON: ", MessageOf(body.status())));
  if (!body->is_object()) return InvalidArgument("it sent a frame that is no JSON object");
  Frame frame(shared, *body);
  frame.type_ = TextOf(*body, "type");
  if (frame.type_.empty()) return InvalidArgument("it sent a frame without a type");
  frame.request_id_ = TextOf(*body, "request_id");
  if (const auto runtime = ObjectOf(*body, "runtime")) {
    frame.runtime_ = {TextOf(*runtime, "agent_id"), TextOf(*runtime, "conversation_id")};
  }
  return frame;
}

bool IsTrue(json::Value object, std::string_view key) {
  const auto found = object.Find(key);
  return found && found->kind() == json::Kind::kBool && found->ToBool();
}

std::int64_t IntOf(json::Value object, std::string_view key) {
  const auto found = object.Find(key);
  return found && found->kind() == json::Kind::kNumber ? found->ToInt64().value_or(0) : 0;
}

std::optional<json::Value> ObjectOf(json::Value object, std::string_view key) {
  const auto found = object.Find(key);
  return found && found->is_object() ? found : std::nullopt;
}

json::Elements ElementsOf(json::Value object, std::string_view key) {
  const auto found = object.Find(key);
  if (found && found->kind() == json::Kind::kArray) return found->elements();
  return json::Elements("[]");
}

std::string Command(std::string_view type, std::string_view request_id, Members members) {
  std::string text;
  json::Writer writer(text);
  writer.BeginObject();
  WriteMember(writer, "type", type);
  if (!request_id.empty()) WriteMember(writer, "request_id", request_id);
  members(writer);
  writer.EndObject();
  return text;
}

void WriteMember(json::Writer& writer, std::string_view key, std::string_view text) {
  writer.Key(key);
  writer.String(text);
}

void WriteRuntime(json::Writer& writer, const Runtime& runtime) {
  writer.Key("runtime");
  writer.BeginObject();
  WriteMember(writer, "agent_id", runtime.agent_id);
  WriteMember(writer, "conversation_id", runtime.conversation_id);
  writer.EndObject();
}

}  // namespace god33::letta::app_server
