#include "transcode/json_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "json/text.h"
#include "transcode/known_types.h"

namespace god33::transcode {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

struct MessagePlan;

// How the values of one field are written.
enum class Form {
  kBool,
  kInt32,
  kInt64,
  kUInt32,
  kUInt64,
  kFloat,
  kDouble,
  kEnum,
  kString,
  kBytes,
  kObject,
  kTimestamp,
  kDuration,
  kWrapper,
  kJson,
};

enum class Shape { kSingle, kList, kMap };

struct FieldPlan {
  const FieldDescriptor* field = nullptr;
  std::string key;  // `{"name":` for the first, `,"name":` for the others
  Form form = Form::kString;
  Shape shape = Shape::kSingle;
  bool has_presence = false;
  const MessagePlan* message =
      nullptr;  // of the value, if that is a message; of a map, the entry's
};

struct MessagePlan {
  std::vector<FieldPlan> fields;
};

Form FormOf(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return Form::kBool;
    case FieldDescriptor::CPPTYPE_INT32:
      return Form::kInt32;
    case FieldDescriptor::CPPTYPE_INT64:
      return Form::kInt64;
    case FieldDescriptor::CPPTYPE_UINT32:
      return Form::kUInt32;
    case FieldDescriptor::CPPTYPE_UINT64:
      return Form::kUInt64;
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Form::kFloat;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Form::kDouble;
    case FieldDescriptor::CPPTYPE_ENUM:
      return Form::kEnum;
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? Form::kBytes : Form::kString;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  switch (KnownType(*field.message_type())) {
    case Known::kTimestamp:
      return Form::kTimestamp;
    case Known::kDuration:
      return Form::kDuration;
    case Known::kWrapper:
      return Form::kWrapper;
    case Known::kJson:
      return Form::kJson;
    case Known::kNone:
      break;
  }
  return Form::kObject;
}

template <typename Number>
void AppendInteger(std::string& out, Number number) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, end);
}

template <typename Number>
void AppendFloat(std::string& out, Number number) {
  if (std::isnan(number)) {
    out.append("\"NaN\"");
  } else if (std::isinf(number)) {
    out.append(number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else {
    char digits[32];  // the shortest that reads back as the same number
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, end);
  }
}

void AppendBytes(std::string& out, std::string_view bytes) {
  out.push_back('"');
  out.append(absl::Base64Escape(ToAbsl(bytes)));
  out.push_back('"');
}

void AppendEnum(std::string& out, const FieldDescriptor& field, int number) {
  if (const EnumValueDescriptor* value = field.enum_type()->FindValueByNumber(number)) {
    json::AppendString(out, value->name());
  } else {
    AppendInteger(out, number);
  }
}

void AppendObject(std::string& out, const MessagePlan& plan, const Message& message);

// A value of a singular field, or with an index that of a repeated one.
class ValueWriter {
 public:
  ValueWriter(std::string& out, const FieldPlan& plan, const Message& message)
      : out_(out), plan_(plan), message_(message), reflection_(*message.GetReflection()) {}

  void Append() { Append(kSingular); }

  void Append(int index) {
    const FieldDescriptor* field = plan_.field;
    switch (plan_.form) {
      case Form::kBool:
        out_.append(Get(index, &Reflection::GetBool, &Reflection::GetRepeatedBool) ? "true"
                                                                                   : "false");
        return;
      case Form::kInt32:
        return AppendInteger(out_,
                             Get(index, &Reflection::GetInt32, &Reflection::GetRepeatedInt32));
      case Form::kInt64:
        return AppendInteger(out_,
                             Get(index, &Reflection::GetInt64, &Reflection::GetRepeatedInt64));
      case Form::kUInt32:
        return AppendInteger(out_,
                             Get(index, &Reflection::GetUInt32, &Reflection::GetRepeatedUInt32));
      case Form::kUInt64:
        return AppendInteger(out_,
                             Get(index, &Reflection::GetUInt64, &Reflection::GetRepeatedUInt64));
      case Form::kFloat:
        return AppendFloat(out_, Get(index, &Reflection::GetFloat, &Reflection::GetRepeatedFloat));
      case Form::kDouble:
        return AppendFloat(out_,
                           Get(index, &Reflection::GetDouble, &Reflection::GetRepeatedDouble));
      case Form::kEnum:
        return AppendEnum(out_, *field,
                          Get(index, &Reflection::GetEnumValue, &Reflection::GetRepeatedEnumValue));
      case Form::kString:
        return json::AppendString(out_, Text(index));
      case Form::kBytes:
        return AppendBytes(out_, Text(index));
      default:
        AppendMessage(index == kSingular ? reflection_.GetMessage(message_, field)
                                         : reflection_.GetRepeatedMessage(message_, field, index));
    }
  }

 private:
  static constexpr int kSingular = -1;

  template <typename T>
  T Get(int index, T (Reflection::*get)(const Message&, const FieldDescriptor*) const,
        T (Reflection::*get_repeated)(const Message&, const FieldDescriptor*, int) const) const {
    return index == kSingular ? (reflection_.*get)(message_, plan_.field)
                              : (reflection_.*get_repeated)(message_, plan_.field, index);
  }

  const std::string& Text(int index) {
    return index == kSingular
               ? reflection_.GetStringReference(message_, plan_.field, &scratch_)
               : reflection_.GetRepeatedStringReference(message_, plan_.field, index, &scratch_);
  }

  void AppendMessage(const Message& value) {
    if (plan_.form == Form::kObject) return AppendObject(out_, *plan_.message, value);
    // The known types are read through their plans, whose fields are in the proto's order.
    const std::vector<FieldPlan>& fields = plan_.message->fields;
    const Reflection& reflection = *value.GetReflection();
    if (plan_.form == Form::kWrapper) return ValueWriter(out_, fields[0], value).Append();
    if (plan_.form == Form::kJson) {
      const std::string& text = reflection.GetStringReference(value, fields[0].field, &scratch_);
      out_.append(text.empty() ? "null" : text);
      return;
    }
    const std::int64_t seconds = reflection.GetInt64(value, fields[0].field);
    const std::int32_t nanos = reflection.GetInt32(value, fields[1].field);
    out_.push_back('"');
    out_.append(plan_.form == Form::kTimestamp
                    ? FormatTimestamp(absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanos))
                    : FormatDuration({.seconds = seconds, .nanos = nanos}));
    out_.push_back('"');
  }

  std::string& out_;
  const FieldPlan& plan_;
  const Message& message_;
  const Reflection& reflection_;
  std::string scratch_;
};

void AppendList(std::string& out, const FieldPlan& plan, const Message& message) {
  const int size = message.GetReflection()->FieldSize(message, plan.field);
  ValueWriter values(out, plan, message);
  out.push_back('[');
  for (int i = 0; i < size; ++i) {
    if (i != 0) out.push_back(',');
    values.Append(i);
  }
  out.push_back(']');
}

void AppendMap(std::string& out, const FieldPlan& plan, const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  const FieldPlan& key_plan = plan.message->fields[0];
  std::vector<std::pair<std::string, const Message*>> entries;
  for (int i = 0; i < reflection.FieldSize(message, plan.field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, plan.field, i);
    std::string key;
    ValueWriter(key, key_plan, entry).Append();
    if (key_plan.form != Form::kString) key = StrCat("\"", key, "\"");
    entries.emplace_back(std::move(key), &entry);
  }
  std::sort(entries.begin(), entries.end());
  char before = '{';
  for (const auto& [key, entry] : entries) {
    out.push_back(std::exchange(before, ','));
    out.append(key);
    out.push_back(':');
    ValueWriter(out, plan.message->fields[1], *entry).Append();
  }
  if (entries.empty()) out.push_back('{');
  out.push_back('}');
}

void AppendField(std::string& out, const FieldPlan& plan, const Message& message) {
  if (plan.shape == Shape::kList) return AppendList(out, plan, message);
  if (plan.shape == Shape::kMap) return AppendMap(out, plan, message);
  if (plan.has_presence && !message.GetReflection()->HasField(message, plan.field)) {
    out.append("null");
    return;
  }
  ValueWriter(out, plan, message).Append();
}

void AppendObject(std::string& out, const MessagePlan& plan, const Message& message) {
  for (const FieldPlan& field : plan.fields) {
    out.append(field.key);
    AppendField(out, field, message);
  }
  out.append(plan.fields.empty() ? "{}" : "}");
}

}  // namespace

// The plans of a type and of all types its fields have, which may refer to each other in circles.
class JsonWriter::Plans {
 public:
  Plans(const Descriptor& type, const FieldDescriptor* only) : root_(Compile(type)) {
    if (only != nullptr) only_ = &root_->fields[static_cast<std::size_t>(only->index())];
  }

  void Append(std::string& out, const Message& message) const {
    if (only_ != nullptr) {
      AppendField(out, *only_, message);
    } else {
      AppendObject(out, *root_, message);
    }
  }

 private:
  const MessagePlan* Compile(const Descriptor& type) {
    const auto [at, added] = plans_.try_emplace(&type);
    MessagePlan& plan = at->second;
    if (!added) return &plan;
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      FieldPlan& to = plan.fields.emplace_back();
      to.field = &field;
      to.key.push_back(i == 0 ? '{' : ',');
      json::AppendString(to.key, field.name());
      to.key.push_back(':');
      to.form = FormOf(field);
      to.shape = field.is_map() ? Shape::kMap : field.is_repeated() ? Shape::kList : Shape::kSingle;
      to.has_presence = field.has_presence();
      if (field.message_type() != nullptr) to.message = Compile(*field.message_type());
    }
    return &plan;
  }

  std::map<const Descriptor*, MessagePlan> plans_;  // a map's elements stay where they are
  const MessagePlan* root_;
  const FieldPlan* only_ = nullptr;
};

JsonWriter::JsonWriter(const Descriptor& type, const FieldDescriptor* only)
    : plans_(std::make_shared<const Plans>(type, only)) {}

void JsonWriter::Append(std::string& out, const Message& message) const {
  plans_->Append(out, message);
}

}  // namespace god33::transcode
