#include "event/write.h"

#include "base/timestamp.h"
#include "json/write.h"

namespace god33::event {
namespace {

// Writes the members of one object, leaving out or nulling what has no value.
class Object {
 public:
  Object(json::Writer& writer, Absent absent) : writer_(writer), absent_(absent) {
    writer_.BeginObject();
  }
  ~Object() { writer_.EndObject(); }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  void Text(std::string_view key, const std::optional<std::string>& text) {
    if (!text) return None(key);
    writer_.Key(key);
    writer_.String(*text);
  }

  void List(std::string_view key, const std::vector<std::string>& texts) {
    if (texts.empty() && absent_ == Absent::kOmit) return;
    writer_.Key(key);
    writer_.BeginArray();
    for (const std::string& text : texts) writer_.String(text);
    writer_.EndArray();
  }

  void Json(std::string_view key, const std::string& json) {
    if (json.empty()) return None(key);
    writer_.Key(key);
    writer_.Raw(json);
  }

  void None(std::string_view key) {
    if (absent_ == Absent::kOmit) return;
    writer_.Key(key);
    writer_.Null();
  }

 private:
  json::Writer& writer_;
  Absent absent_;
};

std::string WriteCode(const CodeState& code, Absent absent) {
  std::string text;
  {
    json::Writer writer(text);
    Object object(writer, absent);
    object.Text("repo_url", code.repo_url);
    object.Text("branch", code.branch);
    object.Text("working_diff", code.working_diff);
    object.Text("branch_diff", code.branch_diff);
    object.Text("last_commit_hash", code.last_commit_hash);
  }
  return text;
}

}  // namespace

std::string WriteSource(const Source& source, Absent absent) {
  std::string text;
  {
    json::Writer writer(text);
    Object object(writer, absent);
    object.Text("host", source.host);
    object.Text("type", source.type);
    object.Text("app", source.app);
    object.Json("meta", source.meta);
  }
  return text;
}

std::string WriteContext(const AgentContext& context, Absent absent) {
  std::string text;
  {
    json::Writer writer(text);
    Object object(writer, absent);
    object.Text("type", context.type);
    object.Text("name", context.name);
    object.Text("system_prompt", context.system_prompt);
    object.Text("instance_id", context.instance_id);
    object.List("mcp_servers", context.mcp_servers);
    object.List("file_references", context.file_references);
    object.List("url_references", context.url_references);
    object.Json("code_state", context.code_state ? WriteCode(*context.code_state, absent) : "");
    object.Text("checkpoint_id", context.checkpoint_id);
    object.Json("meta", context.meta);
  }
  return text;
}

std::string WriteJson(const Envelope& envelope) {
  std::string text;
  text.reserve(envelope.payload.size() + 512);
  json::Writer writer(text);
  writer.BeginObject();
  writer.Key("event_id");
  writer.String(envelope.id.ToString());
  writer.Key("event_type");
  writer.String(envelope.type);
  writer.Key("timestamp");
  writer.String(FormatTimestamp(envelope.time));
  writer.Key("version");
  writer.String(envelope.version);
  writer.Key("source");
  writer.Raw(WriteSource(envelope.source, Absent::kNull));
  writer.Key("correlation_ids");
  writer.BeginArray();
  for (const Uuid& parent : envelope.parents) writer.String(parent.ToString());
  writer.EndArray();
  writer.Key("agent_context");
  writer.Raw(envelope.agent_context ? WriteContext(*envelope.agent_context, Absent::kNull)
                                    : "null");
  writer.Key("payload");
  writer.Raw(envelope.payload);
  writer.EndObject();
  return text;
}

}  // namespace god33::event
