#include "event/facts.h"

#include <string_view>

#include "json/value.h"

namespace god33::event {
namespace {

constexpr std::size_t kMaxText = 255;

std::string Usable(std::string text) {
  if (text.size() > kMaxText || text.find('\0') != std::string::npos) return {};
  return text;
}

std::string Text(const std::optional<json::Value>& value) {
  return value && value->is_string() ? Usable(value->ToString()) : std::string();
}

std::optional<Uuid> Id(const std::optional<json::Value>& value) {
  return value && value->is_string() ? Uuid::Parse(value->ToString()) : std::nullopt;
}

template <typename... Texts>
std::string FirstNonEmpty(Texts... texts) {
  std::string first;
  ((first.empty() ? void(first = std::move(texts)) : void()), ...);
  return first;
}

}  // namespace

Facts FactsOf(const Envelope& envelope) {
  std::optional<json::Value> workflow, collaboration, session, new_session, project, instance,
      agent, from_agent, checkpoint;
  const json::Value payload = json::Value::Checked(envelope.payload);
  for (const json::Member member : payload.members()) {
    if (member.Is("workflow_id")) workflow = member.value;
    if (member.Is("collaboration_id")) collaboration = member.value;
    if (member.Is("session_id")) session = member.value;
    if (member.Is("new_session_id")) new_session = member.value;
    if (member.Is("project_name")) project = member.value;
    if (member.Is("agent_instance_id")) instance = member.value;
    if (member.Is("agent_id")) agent = member.value;
    if (member.Is("from_agent")) from_agent = member.value;
    if (member.Is("checkpoint_id")) checkpoint = member.value;
  }
  static const AgentContext kNone;
  const AgentContext& context = envelope.agent_context ? *envelope.agent_context : kNone;

  Facts facts;
  facts.workflow_id = Id(workflow);
  facts.collaboration_id = Id(collaboration);
  facts.session_id = Id(session);
  if (!facts.session_id) facts.session_id = Id(new_session);
  facts.project = Text(project);
  facts.agent_id = FirstNonEmpty(Usable(context.instance_id.value_or("")), Text(instance),
                                 Text(agent), Usable(context.type.value_or("")), Text(from_agent));
  facts.checkpoint_id = FirstNonEmpty(Usable(context.checkpoint_id.value_or("")), Text(checkpoint));
  return facts;
}

std::string ProjectNamedIn(std::string_view payload) {
  return Text(json::Value::Checked(payload).Find("project_name"));
}

}  // namespace god33::event
