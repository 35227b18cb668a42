#include "tools/god33/payload_schema.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_split.h"
#include "base/strings.h"
#include "god33/event/v1/json.pb.h"
#include "god33/event/v1/schema.pb.h"
#include "json/write.h"
#include "tools/god33/json_layout.h"
#include "tools/god33/visible.h"

namespace god33::cli {
namespace {

namespace v1 = event::v1;

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using transcode::Comments;

constexpr char kUuidPattern[] =
    "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$";
constexpr char kExampleUuid[] = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
constexpr char kExampleTime[] = "2027-01-15T12:00:00Z";
constexpr std::size_t kLeastWidth = 24;  // of wrapped text

const v1::FieldRule& RuleOf(const FieldDescriptor& field) {
  return field.options().GetExtension(v1::field);
}

// The message that an object of this field is checked with; nullptr: it is no object, or any.
const Descriptor* ObjectOf(const FieldDescriptor& field) {
  const bool message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  return message && field.message_type() != v1::Json::descriptor() ? field.message_type() : nullptr;
}

// ---- For people

struct TypeName {
  const char* one;
  const char* list;
};

TypeName TypeOf(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64:
      return {"whole number", "list of whole numbers"};
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return {"number", "list of numbers"};
    case FieldDescriptor::CPPTYPE_BOOL:
      return {"boolean", "list of booleans"};
    case FieldDescriptor::CPPTYPE_STRING:
      if (RuleOf(field).format() == v1::FieldRule::FORMAT_UUID) return {"UUID", "list of UUIDs"};
      if (RuleOf(field).format() == v1::FieldRule::FORMAT_TIMESTAMP) {
        return {"RFC 3339 time", "list of RFC 3339 times"};
      }
      return {"string", "list of strings"};
    default:
      return ObjectOf(field) != nullptr || RuleOf(field).format() == v1::FieldRule::FORMAT_OBJECT
                 ? TypeName{"object", "list of objects"}
                 : TypeName{"any JSON", "list of any JSON"};
  }
}

void AddFields(const Descriptor& schema, const Comments& comments, const std::string& path,
               std::vector<PayloadField>& fields) {
  for (int i = 0; i < schema.field_count(); ++i) {
    const FieldDescriptor& field = *schema.field(i);
    const v1::FieldRule& rule = RuleOf(field);
    const TypeName type = TypeOf(field);
    fields.push_back({.name = StrCat(path, field.name()),
                      .type = field.is_repeated() ? type.list : type.one,
                      .required = !rule.required()       ? ""
                                  : rule.alias().empty() ? "yes"
                                                         : StrCat("yes, or ", rule.alias()),
                      .meaning = comments.Of(field)});
    if (const Descriptor* object = ObjectOf(field)) {
      AddFields(*object, comments, StrCat(path, field.name(), field.is_repeated() ? "[]." : "."),
                fields);
    }
  }
}

// Lines of at most `width` columns, if the words allow it.
std::vector<std::string> Wrap(const std::string& text, std::size_t width) {
  std::vector<std::string> lines{""};
  for (const absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    if (!lines.back().empty() &&
        DisplayWidth(lines.back()) + 1 + DisplayWidth(std::string_view(word.data(), word.size())) >
            width) {
      lines.emplace_back();
    }
    StrAppend(&lines.back(), lines.back().empty() ? "" : " ", word);
  }
  return lines;
}

std::string FieldTable(const std::vector<PayloadField>& fields, const Screen& screen) {
  const std::vector<Column> columns{{"FIELD"}, {"TYPE"}, {"REQUIRED"}, {"MEANING"}};
  std::size_t widths[] = {columns[0].title.size(), columns[1].title.size(),
                          columns[2].title.size()};
  for (const PayloadField& field : fields) {
    widths[0] = std::max(widths[0], field.name.size());
    widths[1] = std::max(widths[1], field.type.size());
    widths[2] = std::max(widths[2], field.required.size());
  }
  const std::size_t before = widths[0] + widths[1] + widths[2] + 6;  // with the gaps
  const std::size_t width = screen.width == 0 ? std::numeric_limits<std::size_t>::max()
                            : screen.width > before + kLeastWidth ? screen.width - before
                                                                  : kLeastWidth;
  std::vector<Row> rows;
  for (const PayloadField& field : fields) {
    Row row{field.name, field.type, field.required, ""};
    for (std::string& line : Wrap(field.meaning, width)) {
      row[3] = std::move(line);
      rows.push_back(std::exchange(row, {"", "", "", ""}));
    }
  }
  return Table(columns, screen).Render(rows);
}

// ---- An example

void WriteExample(const FieldDescriptor& field, json::Writer& writer);

void WriteExample(const Descriptor& schema, json::Writer& writer) {
  writer.BeginObject();
  for (int i = 0; i < schema.field_count(); ++i) {
    writer.Key(schema.field(i)->name());
    if (schema.field(i)->is_repeated()) writer.BeginArray();
    WriteExample(*schema.field(i), writer);
    if (schema.field(i)->is_repeated()) writer.EndArray();
  }
  writer.EndObject();
}

std::string ExampleText(const FieldDescriptor& field) {
  const v1::FieldRule& rule = RuleOf(field);
  if (!rule.example().empty()) return rule.example();
  if (rule.format() == v1::FieldRule::FORMAT_UUID) return kExampleUuid;
  if (rule.format() == v1::FieldRule::FORMAT_TIMESTAMP) return kExampleTime;
  return field.name();
}

void WriteExample(const FieldDescriptor& field, json::Writer& writer) {
  if (const Descriptor* object = ObjectOf(field)) return WriteExample(*object, writer);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64:
      return writer.Int(1);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return writer.Raw("1.5");
    case FieldDescriptor::CPPTYPE_BOOL:
      return writer.Bool(true);
    case FieldDescriptor::CPPTYPE_STRING:
      return writer.String(ExampleText(field));
    default:
      return writer.Raw(RuleOf(field).example().empty() ? "{}" : RuleOf(field).example());
  }
}

// ---- JSON Schema

class SchemaWriter {
 public:
  explicit SchemaWriter(const Comments& comments) : comments_(comments), writer_(text_) {}

  std::string Write(const std::string& event_type, const wire::PayloadRegistry::Entry& entry) {
    writer_.BeginObject();
    Text("$schema", "https://json-schema.org/draft/2020-12/schema");
    Text("title", event_type);
    Text("description", entry.summary);
    ObjectKeywords(*entry.schema);
    Definitions(*entry.schema);
    writer_.Key("examples");
    writer_.BeginArray();
    writer_.Raw(ExamplePayload(*entry.schema));
    writer_.EndArray();
    writer_.EndObject();
    return std::move(text_);
  }

 private:
  void Text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    writer_.Key(key);
    writer_.String(value);
  }

  // "type":"string", or with null as another possibility.
  void Type(std::string_view type, bool nullable) {
    if (!nullable) return Text("type", type);
    writer_.Key("type");
    writer_.BeginArray();
    writer_.String(type);
    writer_.String("null");
    writer_.EndArray();
  }

  void ObjectKeywords(const Descriptor& schema) {
    Text("type", "object");
    writer_.Key("properties");
    writer_.BeginObject();
    for (int i = 0; i < schema.field_count(); ++i) Property(*schema.field(i));
    writer_.EndObject();
    std::vector<const FieldDescriptor*> required;
    std::vector<const FieldDescriptor*> aliased;
    for (int i = 0; i < schema.field_count(); ++i) {
      const v1::FieldRule& rule = RuleOf(*schema.field(i));
      if (!rule.alias().empty()) aliased.push_back(schema.field(i));
      if (rule.required() && rule.alias().empty()) required.push_back(schema.field(i));
    }
    if (!required.empty()) {
      writer_.Key("required");
      writer_.BeginArray();
      for (const FieldDescriptor* field : required) writer_.String(field->name());
      writer_.EndArray();
    }
    if (aliased.empty()) return;
    writer_.Key("allOf");
    writer_.BeginArray();
    for (const FieldDescriptor* field : aliased) EitherName(*field);
    writer_.EndArray();
  }

  void Property(const FieldDescriptor& field) {
    const v1::FieldRule& rule = RuleOf(field);
    writer_.Key(field.name());
    writer_.BeginObject();
    Text("description", comments_.Of(field));
    Value(field, !rule.required() || !rule.alias().empty());
    writer_.EndObject();
    if (rule.alias().empty()) return;
    writer_.Key(rule.alias());
    writer_.BeginObject();
    Text("description", StrCat("Read as ", field.name(), " if that is absent."));
    writer_.EndObject();
  }

  // The field is there under its name, or else its alias holds; if it isn't required, it may be absent
  // under both.
  void EitherName(const FieldDescriptor& field) {
    const v1::FieldRule& rule = RuleOf(field);
    writer_.BeginObject();
    writer_.Key("if");
    Absent(field.name());
    writer_.Key("then");
    writer_.BeginObject();
    if (rule.required()) {
      writer_.Key("required");
      writer_.BeginArray();
      writer_.String(rule.alias());
      writer_.EndArray();
    }
    writer_.Key("properties");
    writer_.BeginObject();
    writer_.Key(rule.alias());
    writer_.BeginObject();
    Value(field, !rule.required());
    writer_.EndObject();
    writer_.EndObject();
    writer_.EndObject();
    writer_.EndObject();
  }

  // Holds where the member is missing or null.
  void Absent(std::string_view name) {
    writer_.BeginObject();
    writer_.Key("properties");
    writer_.BeginObject();
    writer_.Key(name);
    writer_.BeginObject();
    Text("type", "null");
    writer_.EndObject();
    writer_.EndObject();
    writer_.EndObject();
  }

  // The keywords that say what a field's value may be.
  void Value(const FieldDescriptor& field, bool nullable) {
    if (!field.is_repeated()) return Single(field, nullable);
    Type("array", nullable);
    writer_.Key("items");
    writer_.BeginObject();
    Single(field, false);
    writer_.EndObject();
  }

  void Single(const FieldDescriptor& field, bool nullable) {
    const v1::FieldRule& rule = RuleOf(field);
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        Type("string", nullable);
        if (rule.format() == v1::FieldRule::FORMAT_UUID) {
          Text("format", "uuid");
          Text("pattern", kUuidPattern);
        } else if (rule.format() == v1::FieldRule::FORMAT_TIMESTAMP) {
          Text("format", "date-time");
        }
        return;
      case FieldDescriptor::CPPTYPE_INT64:
        Type("integer", nullable);
        writer_.Key("minimum");
        writer_.Int(std::numeric_limits<std::int64_t>::min());
        writer_.Key("maximum");
        writer_.Int(std::numeric_limits<std::int64_t>::max());
        return;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return Type("number", nullable);
      case FieldDescriptor::CPPTYPE_BOOL:
        return Type("boolean", nullable);
      default:
        return Object(field, nullable);
    }
  }

  void Object(const FieldDescriptor& field, bool nullable) {
    const Descriptor* object = ObjectOf(field);
    if (object == nullptr) {
      if (RuleOf(field).format() == v1::FieldRule::FORMAT_OBJECT) Type("object", nullable);
      return;
    }
    const std::string reference = StrCat("#/$defs/", object->name());
    if (!nullable) return Text("$ref", reference);
    writer_.Key("anyOf");
    writer_.BeginArray();
    writer_.BeginObject();
    Text("$ref", reference);
    writer_.EndObject();
    writer_.BeginObject();
    Text("type", "null");
    writer_.EndObject();
    writer_.EndArray();
  }

  // Of all messages that fields lead to, each once.
  void Definitions(const Descriptor& schema) {
    std::vector<const Descriptor*> objects;
    Collect(schema, objects);
    if (objects.empty()) return;
    writer_.Key("$defs");
    writer_.BeginObject();
    for (const Descriptor* object : objects) {
      writer_.Key(object->name());
      writer_.BeginObject();
      Text("description", comments_.Of(*object));
      ObjectKeywords(*object);
      writer_.EndObject();
    }
    writer_.EndObject();
  }

  static void Collect(const Descriptor& schema, std::vector<const Descriptor*>& objects) {
    for (int i = 0; i < schema.field_count(); ++i) {
      const Descriptor* object = ObjectOf(*schema.field(i));
      if (object == nullptr) continue;
      if (std::find(objects.begin(), objects.end(), object) != objects.end()) continue;
      objects.push_back(object);
      Collect(*object, objects);
    }
  }

  const Comments& comments_;
  std::string text_;
  json::Writer writer_;
};

}  // namespace

std::vector<PayloadField> FieldsOf(const Descriptor& schema, const Comments& comments) {
  std::vector<PayloadField> fields;
  AddFields(schema, comments, "", fields);
  return fields;
}

std::string ExamplePayload(const Descriptor& schema) {
  std::string json;
  json::Writer writer(json);
  WriteExample(schema, writer);
  return json;
}

std::string JsonSchema(const std::string& event_type, const wire::PayloadRegistry::Entry& entry,
                       const Comments& comments) {
  return SchemaWriter(comments).Write(event_type, entry);
}

std::string SchemaText(const std::string& event_type, const wire::PayloadRegistry::Entry& entry,
                       const Comments& comments, const Screen& screen) {
  return StrCat(event_type, ": ", entry.summary, "\n\n",
                FieldTable(FieldsOf(*entry.schema, comments), screen),
                "\nOther fields are kept as they are; null counts as absent.\n\nExample:\n",
                IndentJson(ExamplePayload(*entry.schema), Unsafe::kEscape),
                "\n\nTo publish it:\n  god33 event schema ", event_type,
                " --example | god33 event publish ", event_type, " --json -\n");
}

}  // namespace god33::cli
