#include "transcode/request.h"

#include <optional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_split.h"
#include "base/error.h"
#include "base/strings.h"
#include "transcode/json_reader.h"
#include "transcode/known_types.h"
#include "transcode/text_value.h"

namespace god33::transcode {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::size_t kMostShown = 80;
constexpr std::size_t kDateBytes = 10;  // of "2026-01-01"

// The message that holds the path's last field, made where it is missing.
Message& Holder(Message& message, const FieldPath& path) {
  Message* holder = &message;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    holder = holder->GetReflection()->MutableMessage(holder, path[i]);
  }
  return *holder;
}

bool IsSet(const Message& message, const FieldPath& path) {
  const Message* holder = &message;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    if (!holder->GetReflection()->HasField(*holder, path[i])) return false;
    holder = &holder->GetReflection()->GetMessage(*holder, path[i]);
  }
  return holder->GetReflection()->HasField(*holder, path.back());
}

bool IsTime(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         KnownType(*field.message_type()) == Known::kTimestamp;
}

// "2026-01-01T00:00:00+00:00" in a query arrives with a blank for '+'. A blank in place of the T
// stays.
std::string RestorePlus(std::string time) {
  const std::size_t blank = time.find(' ', kDateBytes + 1);
  if (blank != std::string::npos) time[blank] = '+';
  return time;
}

absl::Status ReadBody(const Route& route, std::string_view body, Message& message) {
  if (body.empty()) return absl::OkStatus();
  if (route.whole_body) return ReadJson(body, message);
  if (route.body_field != nullptr) return ReadJsonField(body, message, *route.body_field);
  return InvalidField("body", "expected none");
}

absl::Status ReadVariable(const FieldPath& path, std::string_view name, std::string_view value,
                          Message& message) {
  // A body may repeat what the path says, as resources do that hold their own id.
  const std::string before = IsSet(message, path) ? message.SerializeAsString() : std::string();
  absl::Status status = SetFromText(Holder(message, path), *path.back(), value);
  if (!status.ok()) return InvalidField(name, MessageOf(status));
  if (!before.empty() && before != message.SerializeAsString()) {
    return InvalidField(name, "the body and the path differ");
  }
  return absl::OkStatus();
}

// A query parameter's field; nullopt if there is none that can be given so.
std::optional<FieldPath> FindParameter(const Descriptor* type, std::string_view name) {
  FieldPath path;
  for (const absl::string_view part : absl::StrSplit(ToAbsl(name), '.')) {
    const FieldDescriptor* field =
        type == nullptr ? nullptr : type->FindFieldByName(std::string(part));
    if (field == nullptr || field->is_map() || path.size() == kMaxMessageDepth) return std::nullopt;
    path.push_back(field);
    // Lists of messages, single values and JSON have no fields that a parameter could name.
    const bool open = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
                      !field->is_repeated() && KnownType(*field->message_type()) == Known::kNone;
    type = open ? field->message_type() : nullptr;
  }
  if (!IsSingleValue(*path.back())) return std::nullopt;
  return path;
}

class QueryReader {
 public:
  QueryReader(const Route& route, Message& message) : route_(route), message_(message) {}

  absl::Status Read(std::string_view name, const std::string& value) {
    const auto path = FindParameter(message_.GetDescriptor(), name);
    if (!path) return InvalidField(name.substr(0, kMostShown), "unknown query parameter");
    if (absl::Status status = CheckFree(*path, name); !status.ok()) return status;
    const FieldDescriptor& field = *path->back();
    absl::Status status =
        SetFromText(Holder(message_, *path), field, IsTime(field) ? RestorePlus(value) : value);
    return status.ok() ? status : InvalidField(name, MessageOf(status));
  }

 private:
  absl::Status CheckFree(const FieldPath& path, std::string_view name) {
    if (route_.whole_body || path.front() == route_.body_field) {
      return InvalidField(name, "expected in the body, not as a query parameter");
    }
    for (const PathTemplate::Variable& variable : route_.path.variables()) {
      if (variable.field_path == name) return InvalidField(name, "given by the path already");
    }
    if (!path.back()->is_repeated() && !seen_.insert(std::string(name)).second) {
      return InvalidField(name, "given more than once");
    }
    return CheckOneof(path, name);
  }

  absl::Status CheckOneof(const FieldPath& path, std::string_view name) {
    const google::protobuf::OneofDescriptor* oneof = path.back()->real_containing_oneof();
    if (oneof == nullptr) return absl::OkStatus();
    const Message& holder = Holder(message_, path);
    const FieldDescriptor* other = holder.GetReflection()->GetOneofFieldDescriptor(holder, oneof);
    if (other == nullptr) return absl::OkStatus();
    return InvalidField(name, StrCat("can't be given together with ", other->name()));
  }

  const Route& route_;
  Message& message_;
  absl::flat_hash_set<std::string> seen_;
};

}  // namespace

absl::Status ReadRequest(const Match& match, const http::Parameters& query, std::string_view body,
                         Message& message) {
  const Route& route = *match.route;
  if (absl::Status status = ReadBody(route, body, message); !status.ok()) return status;
  for (std::size_t i = 0; i < route.variables.size(); ++i) {
    absl::Status status = ReadVariable(route.variables[i], route.path.variables()[i].field_path,
                                       match.variables[i], message);
    if (!status.ok()) return status;
  }
  QueryReader reader(route, message);
  for (const auto& [name, value] : query) {
    if (absl::Status status = reader.Read(name, value); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace god33::transcode
