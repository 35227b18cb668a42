#include "base/timestamp.h"
#include "json/value.h"
#include "json/write.h"
#include "projection/payload.h"
#include "projection/workflow.h"

namespace god33::projection {
namespace {

void WriteTime(json::Writer& writer, std::string_view key, const std::optional<absl::Time>& time) {
  writer.Key(key);
  if (time) {
    writer.String(FormatTimestamp(*time));
  } else {
    writer.Null();
  }
}

std::optional<absl::Time> ReadTime(const json::Value& object, std::string_view key) {
  const auto value = object.Find(key);
  if (!value || !value->is_string()) return std::nullopt;
  const auto time = ParseTimestamp(value->ToString());
  return time.ok() ? std::optional(*time) : std::nullopt;
}

std::int64_t CountWithPrefix(const std::set<std::string>& agents, std::string_view prefix) {
  std::int64_t count = 0;
  for (const std::string& agent : agents) count += agent.starts_with(prefix);
  return count;
}

}  // namespace

std::string PhaseHistoryJson(const WorkflowState& state) {
  std::string text;
  json::Writer writer(text);
  writer.BeginArray();
  for (const WorkflowPhase& phase : state.phase_history) {
    writer.BeginObject();
    writer.Key("phase");
    writer.String(phase.phase);
    WriteTime(writer, "started_at", phase.started_at);
    WriteTime(writer, "completed_at", phase.completed_at);
    writer.EndObject();
  }
  writer.EndArray();
  return text;
}

void ReadPhaseHistory(std::string_view json, WorkflowState& state) {
  for (const json::Value entry : json::Value::Checked(json).elements()) {
    state.phase_history.push_back({.phase = Payload(entry.text()).Text("phase"),
                                   .started_at = ReadTime(entry, "started_at"),
                                   .completed_at = ReadTime(entry, "completed_at")});
  }
}

std::string HandoffsJson(const WorkflowState& state) {
  std::string text;
  json::Writer writer(text);
  writer.BeginArray();
  for (const WorkflowHandoff& handoff : state.handoffs) {
    writer.BeginObject();
    writer.Key("from");
    writer.String(handoff.from);
    writer.Key("to");
    writer.String(handoff.to);
    WriteTime(writer, "at", handoff.at);
    WriteTime(writer, "accepted_at", handoff.accepted_at);
    writer.Key("event_id");
    writer.String(handoff.event_id.ToString());
    writer.EndObject();
  }
  writer.EndArray();
  return text;
}

void ReadHandoffs(std::string_view json, WorkflowState& state) {
  for (const json::Value entry : json::Value::Checked(json).elements()) {
    const Payload fields(entry.text());
    state.handoffs.push_back({.from = fields.Text("from"),
                              .to = fields.Text("to"),
                              .at = ReadTime(entry, "at").value_or(absl::UnixEpoch()),
                              .accepted_at = ReadTime(entry, "accepted_at"),
                              .event_id = fields.Id("event_id").value_or(Uuid())});
  }
}

std::string MetadataJson(const WorkflowState& state) {
  std::string text;
  json::Writer writer(text);
  writer.BeginObject();
  writer.Key("total_agents_involved");
  writer.Int(static_cast<std::int64_t>(state.agents.size()));
  writer.Key("bmad_agents");
  writer.Int(CountWithPrefix(state.agents, "bmad"));
  writer.Key("letta_agents");
  writer.Int(CountWithPrefix(state.agents, "letta"));
  writer.Key("agents");
  writer.BeginArray();
  for (const std::string& agent : state.agents) writer.String(agent);
  writer.EndArray();
  writer.Key("current_agent_instance");
  if (state.current_agent_instance.empty()) {
    writer.Null();
  } else {
    writer.String(state.current_agent_instance);
  }
  writer.Key("started");
  writer.Bool(state.started);
  writer.Key("implementing");
  writer.Bool(state.implementing);
  writer.EndObject();
  return text;
}

void ReadMetadata(std::string_view json, WorkflowState& state) {
  const json::Value metadata = json::Value::Checked(json);
  if (const auto agents = metadata.Find("agents")) {
    for (const json::Value agent : agents->elements()) state.agents.insert(agent.ToString());
  }
  state.current_agent_instance = Payload(json).Text("current_agent_instance");
  if (const auto started = metadata.Find("started")) state.started = started->ToBool();
  if (const auto implementing = metadata.Find("implementing")) {
    state.implementing = implementing->ToBool();
  }
}

}  // namespace god33::projection
