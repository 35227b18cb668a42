#include "event/parts.h"

#include <algorithm>
#include <optional>

#include "event/fields.h"

namespace god33::event {
namespace {

std::string TakeMeta(Fields& fields) {
  const auto meta = fields.Take("meta");
  return meta ? std::string(meta->text()) : std::string();
}

void KeepRest(const Fields& fields, std::string& meta) {
  std::vector<NewMember> rest;
  for (const json::Member& member : fields.Rest()) {
    rest.push_back({std::string(member.raw_key), std::string(member.value.text())});
  }
  AddToMeta(meta, rest);
}

// A list of texts; one that holds anything else stays in the rest.
std::vector<std::string> TakeTexts(Fields& fields, std::string_view key) {
  std::vector<std::string> texts;
  const auto list = fields.Peek(key);
  if (!list || list->kind() != json::Kind::kArray) return texts;
  for (const json::Value text : list->elements()) {
    if (!text.is_string()) return {};
    texts.push_back(text.ToString());
  }
  fields.Take(key);
  return texts;
}

// Only a code state that the envelope can hold as a whole is taken.
std::optional<CodeState> TakeCode(Fields& fields) {
  const auto object = fields.Peek("code_state");
  if (!object || !object->is_object()) return std::nullopt;
  Fields inner(*object);
  CodeState code;
  code.repo_url = inner.TakeString("repo_url");
  code.branch = inner.TakeString("branch");
  code.working_diff = inner.TakeString("working_diff");
  code.branch_diff = inner.TakeString("branch_diff");
  code.last_commit_hash = inner.TakeString("last_commit_hash");
  if (!inner.Rest().empty()) return std::nullopt;
  fields.Take("code_state");
  return code;
}

}  // namespace

Source ReadSource(const json::Value& object) {
  Fields fields(object);
  Source source;
  source.host = fields.TakeString("host").value_or("unknown");
  source.type = fields.TakeString("type").value_or("manual");
  source.app = fields.TakeString("app");
  source.meta = TakeMeta(fields);
  KeepRest(fields, source.meta);
  return source;
}

Source ReadTextSource(std::string_view text) {
  Source source{.host = "unknown", .type = "manual"};
  const std::size_t slash = text.find('/');
  source.app = text.substr(0, slash);
  if (slash != std::string_view::npos) source.host = text.substr(slash + 1);
  return source;
}

AgentContext ReadContext(const json::Value& object) {
  Fields fields(object);
  AgentContext context;
  context.type = fields.TakeString("type");
  context.name = fields.TakeString("name");
  context.system_prompt = fields.TakeString("system_prompt");
  context.instance_id = fields.TakeString("instance_id");
  context.mcp_servers = TakeTexts(fields, "mcp_servers");
  context.file_references = TakeTexts(fields, "file_references");
  context.url_references = TakeTexts(fields, "url_references");
  context.code_state = TakeCode(fields);
  context.checkpoint_id = fields.TakeString("checkpoint_id");
  context.meta = TakeMeta(fields);
  KeepRest(fields, context.meta);
  return context;
}

}  // namespace god33::event
