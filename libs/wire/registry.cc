#include "wire/registry.h"

#include <google/protobuf/descriptor.h>

#include <optional>

#include "base/strings.h"
#include "base/timestamp.h"
#include "base/uuid.h"
#include "event/fields.h"
#include "god33/event/v1/agent.pb.h"
#include "god33/event/v1/bmad.pb.h"
#include "god33/event/v1/json.pb.h"
#include "god33/event/v1/schema.pb.h"

namespace god33::wire {
namespace v1 = event::v1;
namespace {

using event::Fields;

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

constexpr std::size_t kMostErrors = 20;
constexpr std::size_t kMostQuoted = 60;

// Compares one payload with its schema.
class Checker {
 public:
  void Object(const std::string& path, const json::Value& object, const Descriptor& schema) {
    Fields fields(object);
    for (int i = 0; i < schema.field_count(); ++i) {
      const FieldDescriptor& field = *schema.field(i);
      const v1::FieldRule& rule = field.options().GetExtension(v1::field);
      std::optional<json::Value> value = fields.Peek(field.name());
      if (!value && !rule.alias().empty()) value = fields.Peek(rule.alias());
      if (value) {
        Field(path + field.name(), *value, field, rule);
      } else if (rule.required()) {
        Error(path + field.name(),
              rule.alias().empty() ? "is required" : StrCat("is required (or ", rule.alias(), ")"));
      }
    }
  }

  std::vector<std::string> TakeErrors() { return std::move(errors_); }

 private:
  void Field(const std::string& path, const json::Value& value, const FieldDescriptor& field,
             const v1::FieldRule& rule) {
    if (!field.is_repeated()) return Single(path, value, field, rule);
    if (value.kind() != json::Kind::kArray) return Expected(path, "an array", value);
    std::size_t index = 0;
    for (const json::Value element : value.elements()) {
      Single(StrCat(path, "[", index++, "]"), element, field, rule);
      if (errors_.size() == kMostErrors) return;
    }
  }

  void Single(const std::string& path, const json::Value& value, const FieldDescriptor& field,
              const v1::FieldRule& rule) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return Text(path, value, rule.format());
      case FieldDescriptor::CPPTYPE_INT64:
        if (!value.ToInt64()) Expected(path, "a whole number", value);
        return;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        if (value.kind() != json::Kind::kNumber) Expected(path, "a number", value);
        return;
      case FieldDescriptor::CPPTYPE_BOOL:
        if (value.kind() != json::Kind::kBool) Expected(path, "a boolean", value);
        return;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (field.message_type() == v1::Json::descriptor()) {
          if (rule.format() == v1::FieldRule::FORMAT_OBJECT && !value.is_object()) {
            Expected(path, "an object", value);
          }
        } else if (!value.is_object()) {
          Expected(path, "an object", value);
        } else {
          Object(path + ".", value, *field.message_type());
        }
        return;
      default:
        return;  // payload schemas use no other kinds
    }
  }

  void Text(const std::string& path, const json::Value& value, v1::FieldRule::Format format) {
    if (!value.is_string()) return Expected(path, "a string", value);
    if (format == v1::FieldRule::FORMAT_UUID && !Uuid::Parse(value.ToString())) {
      Expected(path, "a UUID", value);
    } else if (format == v1::FieldRule::FORMAT_TIMESTAMP &&
               !ParseTimestamp(value.ToString()).ok()) {
      Expected(path, "an RFC 3339 time", value);
    }
  }

  void Expected(const std::string& path, std::string_view what, const json::Value& got) {
    const bool quote = got.is_string() && got.text().size() <= kMostQuoted;
    Error(path,
          StrCat("expected ", what, ", got ", quote ? got.text() : json::Describe(got.kind())));
  }

  void Error(const std::string& path, std::string_view message) {
    if (errors_.size() < kMostErrors) errors_.push_back(StrCat(path, ": ", message));
  }

  std::vector<std::string> errors_;
};

}  // namespace

PayloadRegistry::PayloadRegistry() {
  for (const FileDescriptor* file :
       {v1::WorkflowStarted::descriptor()->file(), v1::HandoffAccepted::descriptor()->file()}) {
    for (int i = 0; i < file->message_type_count(); ++i) {
      const Descriptor* schema = file->message_type(i);
      const v1::PayloadRule& rule = schema->options().GetExtension(v1::payload);
      for (const std::string& type : rule.event_types()) {
        entries_.emplace(type, Entry{schema, rule.summary()});
      }
    }
  }
}

std::vector<std::string> PayloadRegistry::Check(std::string_view event_type,
                                                std::string_view payload) const {
  const auto entry = entries_.find(event_type);
  if (entry == entries_.end()) return {};
  Checker checker;
  checker.Object("", json::Value::Checked(payload), *entry->second.schema);
  return checker.TakeErrors();
}

}  // namespace god33::wire
