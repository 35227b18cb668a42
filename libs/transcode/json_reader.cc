#include "transcode/json_reader.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "json/value.h"
#include "transcode/known_types.h"
#include "transcode/text_value.h"

namespace god33::transcode {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

constexpr char kBody[] = "body";
constexpr std::size_t kMostShown = 80;  // bytes of a made-up name

// Elements and messages cost memory beyond their text: "{}," of three bytes becomes a message of
// some hundred. This many of a body's are affordable, a message counting tenfold.
constexpr int kBudget = 1'000'000;
constexpr int kMessageCost = 10;

// Where a value stands. A chain on the stack that becomes text only when something is wrong.
struct Place {
  const Place* outer = nullptr;
  std::string_view name;   // of a field; empty for the body
  std::string_view index;  // of an element, as text with brackets

  std::string ToString() const {
    std::string text = outer == nullptr ? std::string() : outer->ToString();
    if (!text.empty() && !name.empty()) text.push_back('.');
    StrAppend(&text, name.substr(0, kMostShown), index.substr(0, kMostShown));
    return text;
  }
};

absl::Status Invalid(const Place& place, std::string_view message) {
  const std::string path = place.ToString();
  return InvalidField(path.empty() ? kBody : path, message);
}

absl::Status Expected(const Place& place, std::string_view what, const json::Value& got) {
  return Invalid(place, StrCat("expected ", what, ", got ", json::Describe(got.kind())));
}

const FieldDescriptor* FindField(const Descriptor& type, const std::string& key) {
  if (const FieldDescriptor* field = type.FindFieldByName(key)) return field;
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == key) return type.field(i);
  }
  return nullptr;
}

// The text that SetFromText takes for a JSON value; nullopt if the value's kind does not fit the
// field.
std::optional<std::string> TextOf(const FieldDescriptor& field, const json::Value& value) {
  const bool string = value.is_string();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      if (value.kind() != json::Kind::kBool) return std::nullopt;
      break;
    case FieldDescriptor::CPPTYPE_STRING:
      if (!string) return std::nullopt;
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (KnownType(*field.message_type()) == Known::kWrapper) {
        return TextOf(*field.message_type()->FindFieldByNumber(1), value);
      }
      if (!string) return std::nullopt;
      break;
    default:  // numbers and enums
      if (!string && value.kind() != json::Kind::kNumber) return std::nullopt;
  }
  return string ? value.ToString() : std::string(value.text());
}

class Reader {
 public:
  absl::Status Object(const Place& place, const json::Value& value, Message& message) {
    if (!value.is_object()) return Expected(place, "an object", value);
    if (++depth_ > kMaxMessageDepth) {
      return Invalid(place, StrCat("nested deeper than ", kMaxMessageDepth, " messages"));
    }
    const Descriptor& type = *message.GetDescriptor();
    std::vector<std::optional<json::Value>> given(static_cast<std::size_t>(type.field_count()));
    for (const json::Member member : value.members()) {
      const std::string key = member.key();
      const FieldDescriptor* field = FindField(type, key);
      if (field == nullptr) return Invalid({.outer = &place, .name = key}, "unknown field");
      given[static_cast<std::size_t>(field->index())] =
          member.value.is_null() ? std::nullopt : std::optional(member.value);
    }
    if (absl::Status status = CheckOneofs(place, type, given); !status.ok()) return status;
    for (int i = 0; i < type.field_count(); ++i) {
      const auto& member = given[static_cast<std::size_t>(i)];
      if (!member) continue;
      const FieldDescriptor& field = *type.field(i);
      const Place inner{.outer = &place, .name = field.name()};
      if (absl::Status status = Field(inner, *member, message, field); !status.ok()) return status;
    }
    --depth_;
    return absl::OkStatus();
  }

  absl::Status Field(const Place& place, const json::Value& value, Message& message,
                     const FieldDescriptor& field) {
    if (field.is_map()) return Map(place, value, message, field);
    if (field.is_repeated()) return List(place, value, message, field);
    return Single(place, value, message, field);
  }

 private:
  absl::Status CheckOneofs(const Place& place, const Descriptor& type,
                           const std::vector<std::optional<json::Value>>& given) {
    for (int i = 0; i < type.real_oneof_decl_count(); ++i) {
      const OneofDescriptor& oneof = *type.oneof_decl(i);
      const FieldDescriptor* first = nullptr;
      for (int j = 0; j < oneof.field_count(); ++j) {
        const FieldDescriptor& field = *oneof.field(j);
        if (!given[static_cast<std::size_t>(field.index())]) continue;
        if (first != nullptr) {
          return Invalid({.outer = &place, .name = field.name()},
                         StrCat("can't be given together with ", first->name()));
        }
        first = &field;
      }
    }
    return absl::OkStatus();
  }

  absl::Status List(const Place& place, const json::Value& value, Message& message,
                    const FieldDescriptor& field) {
    if (value.kind() != json::Kind::kArray) return Expected(place, "an array", value);
    int index = 0;
    for (const json::Value element : value.elements()) {
      const std::string text = StrCat("[", index++, "]");
      const Place inner{.outer = &place, .index = text};
      if (absl::Status status = Single(inner, element, message, field); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Map(const Place& place, const json::Value& value, Message& message,
                   const FieldDescriptor& field) {
    if (!value.is_object()) return Expected(place, "an object", value);
    std::map<std::string, json::Member> members;
    for (const json::Member member : value.members()) {
      members.insert_or_assign(member.key(), member);
    }
    for (const auto& [key, member] : members) {
      const std::string text = StrCat("[", member.raw_key, "]");
      const Place inner{.outer = &place, .index = text};
      if (absl::Status status = Spend(inner, field); !status.ok()) return status;
      Message& entry = *message.GetReflection()->AddMessage(&message, &field);
      const FieldDescriptor& key_field = *field.message_type()->map_key();
      if (absl::Status status = SetFromText(entry, key_field, key); !status.ok()) {
        return Invalid(inner, StrCat("as a key: ", MessageOf(status)));
      }
      absl::Status status = Single(inner, member.value, entry, *field.message_type()->map_value());
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // One value: of a singular field, or another element of a repeated one.
  absl::Status Single(const Place& place, const json::Value& value, Message& message,
                      const FieldDescriptor& field) {
    if (absl::Status status = Spend(place, field); !status.ok()) return status;
    const Known known = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE
                            ? KnownType(*field.message_type())
                            : Known::kNone;
    if (known == Known::kJson) {
      Message& json = SubMessage(message, field);
      json.GetReflection()->SetString(&json, json.GetDescriptor()->FindFieldByNumber(1),
                                      std::string(value.text()));
      return absl::OkStatus();
    }
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && known == Known::kNone) {
      return Object(place, value, SubMessage(message, field));
    }
    const auto text = TextOf(field, value);
    if (!text) return Expected(place, DescribeField(field), value);
    absl::Status status = SetFromText(message, field, *text);
    return status.ok() ? status : Invalid(place, MessageOf(status));
  }

  static Message& SubMessage(Message& message, const FieldDescriptor& field) {
    const Reflection& reflection = *message.GetReflection();
    return field.is_repeated() ? *reflection.AddMessage(&message, &field)
                               : *reflection.MutableMessage(&message, &field);
  }

  absl::Status Spend(const Place& place, const FieldDescriptor& field) {
    budget_ -= field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE ? kMessageCost : 1;
    return budget_ >= 0 ? absl::OkStatus() : Invalid(place, "too many values in one request");
  }

  std::size_t depth_ = 0;
  int budget_ = kBudget;
};

absl::StatusOr<json::Value> Parse(std::string_view text) {
  auto value = json::Value::Parse(text);
  if (!value.ok()) return InvalidField(kBody, MessageOf(value.status()));
  return value;
}

}  // namespace

absl::Status ReadJson(std::string_view text, Message& message) {
  const auto value = Parse(text);
  if (!value.ok()) return value.status();
  return Reader().Object({}, *value, message);
}

absl::Status ReadJsonField(std::string_view text, Message& message, const FieldDescriptor& field) {
  const auto value = Parse(text);
  if (!value.ok()) return value.status();
  if (value->is_null()) return absl::OkStatus();
  return Reader().Field({.name = field.name()}, *value, message, field);
}

}  // namespace god33::transcode
