#include "transcode/openapi.h"

#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "base/strings.h"
#include "god33/rpc/v1/options.pb.h"
#include "json/value.h"
#include "json/write.h"
#include "transcode/comments.h"
#include "transcode/known_types.h"
#include "transcode/problem.h"

namespace god33::transcode {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::OneofDescriptor;

constexpr char kSchemas[] = "#/components/schemas/";
constexpr char kProblem[] = "Problem";

// What stands before the first full stop.
std::string FirstSentence(const std::string& text) {
  const std::size_t end = text.find(". ");
  std::string sentence = text.substr(0, std::min(end, text.find('\n')));
  if (!sentence.empty() && sentence.back() == '.') sentence.pop_back();
  return sentence;
}

class Document {
 public:
  Document(const RouteTable& table, const std::vector<HandMadeRoute>& hand_made,
           const OpenApiInfo& info, std::string_view documented)
      : table_(table), hand_made_(hand_made), info_(info), comments_(documented), json_(text_) {}

  std::string Write() && {
    json_.BeginObject();
    json_.Key("openapi");
    json_.String("3.1.0");
    WriteInfo();
    json_.Key("servers");
    json_.Raw(R"([{"url":"/"}])");
    WritePaths();
    json_.Key("components");
    json_.BeginObject();
    json_.Key("schemas");
    json_.BeginObject();
    WriteProblem();
    for (const HandMadeRoute& route : hand_made_) WriteMembers(route.schemas);
    // Writing one may ask for others.
    while (!wanted_.empty()) {
      const auto [name, type] = *wanted_.begin();
      wanted_.erase(wanted_.begin());
      written_.insert(name);
      json_.Key(name);
      WriteMessage(*type);
    }
    json_.EndObject();
    json_.EndObject();
    json_.EndObject();
    return std::move(text_);
  }

 private:
  void WriteInfo() {
    json_.Key("info");
    json_.BeginObject();
    Text("title", info_.title);
    Text("version", info_.version);
    Text("description", info_.description);
    json_.EndObject();
  }

  void Text(std::string_view key, std::string_view text) {
    if (text.empty()) return;
    json_.Key(key);
    json_.String(text);
  }

  // ---- Operations

  void WritePaths() {
    std::map<std::string, std::vector<const Route*>> paths;
    for (const Route& route : table_.routes()) {
      if (route.verb != "*") paths[PathOf(route)].push_back(&route);
    }
    json_.Key("paths");
    json_.BeginObject();
    for (const auto& [path, routes] : paths) {
      json_.Key(path);
      json_.BeginObject();
      for (const Route* route : routes) {
        json_.Key(absl::AsciiStrToLower(route->verb));
        WriteOperation(*route);
      }
      json_.EndObject();
    }
    for (const HandMadeRoute& route : hand_made_) {
      json_.Key(route.path);
      json_.BeginObject();
      json_.Key("get");
      WriteHandMade(route);
      json_.EndObject();
    }
    json_.EndObject();
  }

  void WriteHandMade(const HandMadeRoute& route) {
    json_.BeginObject();
    Text("operationId", route.operation_id);
    json_.Key("tags");
    json_.BeginArray();
    json_.String(route.tag);
    json_.EndArray();
    Text("summary", route.summary);
    Text("description", route.description);
    json_.Key("parameters");
    json_.BeginArray();
    if (route.query != nullptr) WriteQuery(*route.query, "", nullptr, {});
    const json::Value further = json::Value::Checked(route.parameters);
    for (const json::Value& parameter : further.elements()) {
      json_.Raw(parameter.text());
    }
    json_.EndArray();
    json_.Key("responses");
    json_.BeginObject();
    WriteMembers(route.responses);
    WriteErrors();
    json_.EndObject();
    WriteMembers(route.members);
    json_.EndObject();
    for (const Descriptor* type : route.refers_to) Want(*type);
  }

  void WriteMembers(std::string_view text) {
    const json::Value object = json::Value::Checked(text);
    for (const json::Member& member : object.members()) {
      json_.Key(member.key());
      json_.Raw(member.value.text());
    }
  }

  // "/v1/{name=shelves/*}" is "/v1/{name}" here.
  static std::string PathOf(const Route& route) {
    std::string path;
    bool pattern = false;
    for (const char c : route.path.text()) {
      if (c == '=') pattern = true;
      if (c == '}') pattern = false;
      if (!pattern) path.push_back(c);
    }
    return path;
  }

  void WriteOperation(const Route& route) {
    const std::string comment = comments_.Of(*route.method);
    json_.BeginObject();
    Text("operationId", OperationId(route));
    json_.Key("tags");
    json_.BeginArray();
    json_.String(route.method->service()->name());
    json_.EndArray();
    Text("summary", FirstSentence(comment));
    Text("description", comment);
    WriteParameters(route);
    WriteBody(route);
    WriteResponses(route);
    json_.EndObject();
  }

  // A method has an operation for each of its bindings.
  std::string OperationId(const Route& route) {
    const int number = ++operations_[route.method];
    return number == 1 ? route.method->name() : StrCat(route.method->name(), number);
  }

  void WriteParameters(const Route& route) {
    std::set<const FieldDescriptor*> in_path;
    json_.Key("parameters");
    json_.BeginArray();
    for (std::size_t i = 0; i < route.variables.size(); ++i) {
      const FieldDescriptor& field = *route.variables[i].back();
      in_path.insert(&field);
      WriteParameter(route.path.variables()[i].field_path, field, "path");
    }
    if (!route.whole_body) WriteQuery(*route.method->input_type(), "", route.body_field, in_path);
    json_.EndArray();
  }

  // Every field that can stand in a URL, also those inside of messages.
  void WriteQuery(const Descriptor& type, const std::string& prefix, const FieldDescriptor* body,
                  const std::set<const FieldDescriptor*>& in_path) {
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (&field == body || in_path.contains(&field)) continue;
      const std::string name = StrCat(prefix, field.name());
      if (IsSingleValue(field)) {
        WriteParameter(name, field, "query");
      } else if (!field.is_repeated() && prefix.empty() &&
                 KnownType(*field.message_type()) == Known::kNone) {
        WriteQuery(*field.message_type(), StrCat(name, "."), body, in_path);
      }
    }
  }

  void WriteParameter(const std::string& name, const FieldDescriptor& field, std::string_view in) {
    json_.BeginObject();
    Text("name", name);
    Text("in", in);
    if (in == "path") {
      json_.Key("required");
      json_.Bool(true);
    }
    Text("description", comments_.Of(field));
    json_.Key("schema");
    if (field.is_repeated()) {
      WriteList(field);
    } else {
      WriteValue(field);
    }
    json_.EndObject();
  }

  void WriteBody(const Route& route) {
    if (!route.whole_body && route.body_field == nullptr) return;
    json_.Key("requestBody");
    json_.BeginObject();
    json_.Key("required");
    json_.Bool(true);
    json_.Key("content");
    json_.BeginObject();
    json_.Key("application/json");
    json_.BeginObject();
    json_.Key("schema");
    if (route.whole_body) {
      Refer(*route.method->input_type());
    } else {
      WriteField(*route.body_field, /*described=*/false);
    }
    json_.EndObject();
    json_.EndObject();
    json_.EndObject();
  }

  void WriteResponses(const Route& route) {
    const auto& rule = route.method->options().GetExtension(rpc::v1::method);
    const int status = rule.http_status() == 0 ? 200 : rule.http_status();
    json_.Key("responses");
    json_.BeginObject();
    json_.Key(StrCat(status));
    json_.BeginObject();
    Text("description", "Done.");
    json_.Key("content");
    json_.BeginObject();
    json_.Key("application/json");
    json_.BeginObject();
    json_.Key("schema");
    const Descriptor& type = *route.method->output_type();
    const OneofDescriptor* oneof = type.FindOneofByName(rule.answer_oneof());
    if (oneof != nullptr) {
      WriteOneOf(*oneof);
    } else if (route.response_field != nullptr) {
      WriteField(*route.response_field, /*described=*/false);
    } else {
      Refer(type);
    }
    json_.EndObject();
    json_.EndObject();
    json_.EndObject();
    WriteErrors();
    json_.EndObject();
  }

  void WriteErrors() {
    for (const char* code : {"4XX", "5XX"}) {
      json_.Key(code);
      json_.Raw(StrCat(R"({"description":"An error; `reason` is stable.","content":{")",
                       kProblemType, R"(":{"schema":{"$ref":")", kSchemas, kProblem, R"("}}}})"));
    }
  }

  void WriteOneOf(const OneofDescriptor& oneof) {
    json_.BeginObject();
    json_.Key("oneOf");
    json_.BeginArray();
    for (int i = 0; i < oneof.field_count(); ++i) {
      WriteField(*oneof.field(i), /*described=*/false);
    }
    json_.EndArray();
    json_.EndObject();
  }

  // ---- Schemas

  void WriteProblem() {
    json_.Key(kProblem);
    json_.Raw(
        R"({"type":"object","description":"An error (RFC 9457).",)"
        R"("required":["type","title","status","detail","reason"],"properties":{)"
        R"("type":{"type":"string"},"title":{"type":"string"},"status":{"type":"integer"},)"
        R"("detail":{"type":"string","description":"For people."},)"
        R"("reason":{"type":"string","description":"Stable, for programs: UPPER_SNAKE."},)"
        R"("field":{"type":"string","description":"The field of the request that is at fault."},)"
        R"("instance":{"type":"string","description":"The request's path."}}})");
  }

  void WriteMessage(const Descriptor& type) {
    json_.BeginObject();
    Text("type", "object");
    Text("description", comments_.Of(type));
    json_.Key("properties");
    json_.BeginObject();
    for (int i = 0; i < type.field_count(); ++i) {
      json_.Key(type.field(i)->name());
      WriteField(*type.field(i), /*described=*/true);
    }
    json_.EndObject();
    json_.EndObject();
  }

  // A field with its comment; what may be unset may be null.
  void WriteField(const FieldDescriptor& field, bool described) {
    const std::string comment = described ? comments_.Of(field) : "";
    const bool nullable = described && field.has_presence() && !IsAnyJson(field);
    if (comment.empty() && !nullable) return WriteShape(field);
    json_.BeginObject();
    Text("description", comment);
    json_.Key("anyOf");
    json_.BeginArray();
    WriteShape(field);
    if (nullable) json_.Raw(R"({"type":"null"})");
    json_.EndArray();
    json_.EndObject();
  }

  static bool IsAnyJson(const FieldDescriptor& field) {
    return field.message_type() != nullptr && !field.is_map() &&
           KnownType(*field.message_type()) == Known::kJson;
  }

  void WriteShape(const FieldDescriptor& field) {
    if (field.is_map()) {
      json_.BeginObject();
      Text("type", "object");
      json_.Key("additionalProperties");
      WriteValue(*field.message_type()->FindFieldByNumber(2));
      json_.EndObject();
    } else if (field.is_repeated()) {
      WriteList(field);
    } else {
      WriteValue(field);
    }
  }

  void WriteList(const FieldDescriptor& field) {
    json_.BeginObject();
    Text("type", "array");
    json_.Key("items");
    WriteValue(field);
    json_.EndObject();
  }

  void WriteValue(const FieldDescriptor& field) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        return json_.Raw(R"({"type":"boolean"})");
      case FieldDescriptor::CPPTYPE_INT32:
      case FieldDescriptor::CPPTYPE_UINT32:
        return json_.Raw(R"({"type":"integer","format":"int32"})");
      case FieldDescriptor::CPPTYPE_INT64:
      case FieldDescriptor::CPPTYPE_UINT64:
        return json_.Raw(R"({"type":"integer","format":"int64"})");
      case FieldDescriptor::CPPTYPE_FLOAT:
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return json_.Raw(R"({"type":"number"})");
      case FieldDescriptor::CPPTYPE_ENUM:
        return WriteEnum(*field.enum_type());
      case FieldDescriptor::CPPTYPE_STRING:
        return json_.Raw(field.type() == FieldDescriptor::TYPE_BYTES
                             ? R"({"type":"string","contentEncoding":"base64"})"
                             : R"({"type":"string"})");
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return WriteMessageValue(*field.message_type());
    }
  }

  void WriteMessageValue(const Descriptor& type) {
    switch (KnownType(type)) {
      case Known::kTimestamp:
        return json_.Raw(R"({"type":"string","format":"date-time"})");
      case Known::kDuration:
        return json_.Raw(R"({"type":"string","pattern":"^-?[0-9]+([.][0-9]+)?s$"})");
      case Known::kWrapper:
        return WriteValue(*type.field(0));
      case Known::kJson:
        return json_.Raw(R"({"description":"Any JSON value, kept digit for digit."})");
      case Known::kNone:
        return Refer(type);
    }
  }

  void WriteEnum(const EnumDescriptor& type) {
    json_.BeginObject();
    Text("type", "string");
    json_.Key("enum");
    json_.BeginArray();
    for (int i = 0; i < type.value_count(); ++i) json_.String(type.value(i)->name());
    json_.EndArray();
    json_.EndObject();
  }

  // Sees to it that the type has a schema, and returns its name.
  std::string Want(const Descriptor& type) {
    std::string name = NameOf(type);
    if (!written_.contains(name)) wanted_.emplace(name, &type);
    return name;
  }

  void Refer(const Descriptor& type) {
    const std::string name = Want(type);
    json_.BeginObject();
    Text("$ref", StrCat(kSchemas, name));
    json_.EndObject();
  }

  // The last word of the type's name, unless another type has taken that.
  std::string NameOf(const Descriptor& type) {
    const auto [at, added] = names_.emplace(type.name(), &type);
    return at->second == &type ? type.name() : type.full_name();
  }

  const RouteTable& table_;
  const std::vector<HandMadeRoute>& hand_made_;
  const OpenApiInfo& info_;
  const Comments comments_;
  std::string text_;
  json::Writer json_;
  std::map<const MethodDescriptor*, int> operations_;
  std::map<std::string, const Descriptor*> names_{{kProblem, nullptr}};
  std::map<std::string, const Descriptor*> wanted_;
  std::set<std::string> written_;
};

}  // namespace

std::string WriteOpenApi(const RouteTable& table, const std::vector<HandMadeRoute>& hand_made,
                         const OpenApiInfo& info, std::string_view documented) {
  return Document(table, hand_made, info, documented).Write();
}

}  // namespace god33::transcode
