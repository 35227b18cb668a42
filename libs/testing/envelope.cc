#include "testing/envelope.h"

#include <optional>

#include "absl/container/flat_hash_set.h"
#include "base/error.h"
#include "event/check.h"
#include "json/text.h"
#include "json/value.h"

namespace god33::testing {
namespace {

bool IsSoundText(const std::optional<std::string>& text) {
  return !text || json::ValidPrefix(*text) == text->size();
}

bool IsSoundMeta(const std::string& meta) {
  return meta.empty() || json::Value::Parse(meta).ok();
}

std::string FaultOf(const event::AgentContext& context) {
  if (context == event::AgentContext()) return "an empty context is none";
  for (const auto* text : {&context.type, &context.name, &context.system_prompt,
                           &context.instance_id, &context.checkpoint_id}) {
    if (!IsSoundText(*text)) return "the context has text that is no UTF-8";
  }
  for (const auto* texts :
       {&context.mcp_servers, &context.file_references, &context.url_references}) {
    for (const std::string& text : *texts) {
      if (!IsSoundText(text)) return "the context has text that is no UTF-8";
    }
  }
  if (!IsSoundMeta(context.meta)) return "the context's meta is no JSON";
  return {};
}

}  // namespace

std::string FaultOf(const event::Envelope& envelope) {
  if (const absl::Status status = event::CheckEnvelope(envelope); !status.ok()) {
    return std::string(MessageOf(status));
  }
  const absl::Duration since_epoch = envelope.time - absl::UnixEpoch();
  if (absl::Floor(since_epoch, absl::Microseconds(1)) != since_epoch) {
    return "the time has parts of a microsecond";
  }
  const auto payload = json::Value::Parse(envelope.payload);
  if (!payload.ok() || !payload->is_object()) return "the payload is no object";
  if (payload->text().size() != envelope.payload.size()) return "blanks around the payload";
  absl::flat_hash_set<Uuid> seen{envelope.id};
  for (const Uuid& parent : envelope.parents) {
    if (!seen.insert(parent).second) return "a parent stands twice, or is the event itself";
  }
  for (const std::string* text :
       {&envelope.version, &envelope.source.host, &envelope.source.type}) {
    if (!IsSoundText(*text)) return "text that is no UTF-8";
  }
  if (!IsSoundText(envelope.source.app)) return "the source's app is no UTF-8";
  if (!IsSoundMeta(envelope.source.meta)) return "the source's meta is no JSON";
  return envelope.agent_context ? FaultOf(*envelope.agent_context) : std::string();
}

}  // namespace god33::testing
