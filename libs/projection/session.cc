#include "projection/session.h"

#include <algorithm>

#include "base/strings.h"
#include "json/value.h"
#include "json/write.h"
#include "projection/limits.h"
#include "projection/payload.h"

namespace god33::projection {
namespace {

constexpr std::size_t kMostType = 50;
constexpr std::size_t kMostText = 255;

void SetIfGiven(std::string& field, std::string value) {
  if (!value.empty()) field = std::move(value);
}

void SetStatus(SessionState& state, std::string status, const std::string& reason) {
  state.status = std::move(status);
  state.status_reason = reason;
}

void FoldAccepted(const FoldEvent& event, const Payload& payload, SessionState& state) {
  SetIfGiven(state.agent_type, payload.Text("agent_type"));
  SetIfGiven(state.agent_type, event.agent_type);
  SetIfGiven(state.agent_type, event.handoff_to);
  state.started_at = std::min(state.started_at, event.time);
  if (!state.completed_at) SetStatus(state, "active", "");
}

void FoldRecovery(const Payload& payload, SessionState& state) {
  if (payload.Id("new_session_id") != state.id) return;
  state.recovered_from = payload.Id("session_id");
  SetIfGiven(state.checkpoint_id, payload.Text("recovering_from_checkpoint"));
  if (!state.completed_at) SetStatus(state, "active", "");
}

absl::Status CheckColumns(const FoldEvent& event, const Payload& payload) {
  absl::Status status;
  const auto check = [&status](const char* column, const std::string& text, std::size_t most) {
    if (status.ok()) status = CheckFits(column, text, most);
  };
  check("agent_type", event.agent_type, kMostType);
  check("agent_type", event.handoff_to, kMostType);
  check("agent_type", payload.Text("agent_type"), kMostType);
  check("agent_instance_id", payload.Text("agent_instance_id"), kMostText);
  check("agent_instance_id", event.agent_instance, kMostText);
  for (const char* key : {"checkpoint_id", "final_checkpoint_id", "recovering_from_checkpoint"}) {
    check(key, payload.Text(key), kMostText);
  }
  return status;
}

}  // namespace

std::vector<Uuid> SessionsOf(const FoldEvent& event) {
  std::vector<Uuid> sessions;
  if (!event.type.starts_with("agent.")) return sessions;
  const Payload payload(event.payload);
  if (const auto session = payload.Id("session_id")) sessions.push_back(*session);
  // Beside a session_id it is looked for in recoveries only, so that a session's events can be found again
  // by type.
  const bool may_open = sessions.empty() || event.type == "agent.letta.session.recovery.started";
  if (!may_open) return sessions;
  if (const auto opened = payload.Id("new_session_id"); opened && *opened != Uuid()) {
    if (sessions.empty() || sessions.front() != *opened) sessions.push_back(*opened);
  }
  return sessions;
}

absl::Status Apply(const FoldEvent& event, SessionState& state) {
  const Payload payload(event.payload);
  if (absl::Status status = CheckColumns(event, payload); !status.ok()) return status;
  if (state.version == 0) {
    state.started_at = event.time;
    state.last_active_at = event.time;
  }
  if (state.agent_type == "unknown") SetIfGiven(state.agent_type, event.agent_type);
  SetIfGiven(state.agent_instance_id, payload.Text("agent_instance_id"));
  SetIfGiven(state.agent_instance_id, event.agent_instance);
  if (!state.workflow_id) state.workflow_id = event.workflow;
  SetIfGiven(state.project_name, event.project);

  if (event.type == "agent.handoff.accepted") {
    SetIfGiven(state.checkpoint_id, payload.Text("checkpoint_id"));
    FoldAccepted(event, payload, state);
  } else if (event.type == "agent.letta.checkpoint.saved") {
    SetIfGiven(state.checkpoint_id, payload.Text("checkpoint_id"));
    ++state.checkpoints;
  } else if (event.type == "agent.letta.session.paused") {
    SetStatus(state, "paused", payload.Text("reason"));
    state.completed_at.reset();
  } else if (event.type == "agent.letta.session.resumed") {
    SetStatus(state, "active", "");
    state.completed_at.reset();
  } else if (event.type == "agent.letta.session.failed") {
    SetStatus(state, "failed", payload.Text("failure_reason"));
    state.completed_at = event.time;
  } else if (event.type == "agent.letta.task.cancelled") {
    const std::string reason = payload.Text("reason");
    SetStatus(state, "failed", reason.empty() ? "cancelled" : StrCat("cancelled: ", reason));
    state.completed_at = event.time;
  } else if (event.type == "agent.letta.session.recovery.started") {
    FoldRecovery(payload, state);
  } else if (event.type == "agent.letta.task.completed") {
    SetIfGiven(state.checkpoint_id, payload.Text("final_checkpoint_id"));
    SetStatus(state, "completed", "");
    state.completed_at = event.time;
  }

  state.last_active_at = std::max(state.last_active_at, event.time);
  ++state.version;
  state.position = event.since;
  return absl::OkStatus();
}

std::string MetadataJson(const SessionState& state) {
  std::string text;
  json::Writer writer(text);
  writer.BeginObject();
  writer.Key("checkpoints");
  writer.Int(state.checkpoints);
  writer.Key("recovered_from");
  if (state.recovered_from) {
    writer.String(state.recovered_from->ToString());
  } else {
    writer.Null();
  }
  writer.Key("status_reason");
  if (state.status_reason.empty()) {
    writer.Null();
  } else {
    writer.String(state.status_reason);
  }
  writer.EndObject();
  return text;
}

void ReadMetadata(std::string_view json, SessionState& state) {
  const Payload metadata(json);
  if (const auto count = json::Value::Checked(json).Find("checkpoints")) {
    state.checkpoints = count->ToInt64().value_or(0);
  }
  state.recovered_from = metadata.Id("recovered_from");
  state.status_reason = metadata.Text("status_reason");
}

}  // namespace god33::projection
