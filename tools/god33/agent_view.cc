#include "tools/god33/agent_view.h"

#include "base/strings.h"
#include "tools/god33/text.h"

namespace god33::cli {
namespace {

using google::protobuf::Message;
using store::v1::AgentSession;
using store::v1::Checkpoint;

constexpr char kNone[] = "-";

std::string OrNone(const std::string& text) {
  return text.empty() ? kNone : text;
}

Row SessionRow(const Message& message) {
  const auto& session = static_cast<const AgentSession&>(message);
  return {session.session_id(),
          session.status(),
          session.agent_type(),
          OrNone(session.agent_instance_id()),
          TextOf(session.last_active_at()),
          StrCat(session.version()),
          OrNone(session.checkpoint_id()),
          OrNone(session.project_name())};
}

Row CheckpointRow(const Message& message) {
  const auto& checkpoint = static_cast<const Checkpoint&>(message);
  return {StrCat(checkpoint.position()), TextOf(checkpoint.created_at()),
          checkpoint.checkpoint_id(), OrNone(checkpoint.checkpoint_type()), checkpoint.summary()};
}

std::vector<std::string> CheckpointLines(const AgentSession& session) {
  std::vector<std::string> lines;
  for (const Checkpoint& checkpoint : session.checkpoints()) {
    lines.push_back(StrCat(TextOf(checkpoint.created_at()), "  ", checkpoint.checkpoint_id(),
                           checkpoint.summary().empty() ? "" : "  ", checkpoint.summary(),
                           "  (event ", checkpoint.event_id(), ")"));
  }
  return lines;
}

}  // namespace

ListView SessionView() {
  return {.columns = {{"SESSION ID"},
                      {"STATUS"},
                      {"TYPE"},
                      {"AGENT"},
                      {"LAST ACTIVE"},
                      {"EVENTS", true},
                      {"CHECKPOINT"},
                      {"PROJECT"}},
          .row = SessionRow};
}

ListView CheckpointView() {
  return {.columns = {{"POSITION", true}, {"CREATED"}, {"CHECKPOINT ID"}, {"TYPE"}, {"SUMMARY"}},
          .row = CheckpointRow};
}

std::string SessionDetails(const AgentSession& session) {
  Details details;
  details.Add("session_id", session.session_id());
  details.Add("status", session.status());
  details.Add("agent_type", session.agent_type());
  details.Add("agent_instance_id", OrNone(session.agent_instance_id()));
  details.Add("checkpoint_id", OrNone(session.checkpoint_id()));
  details.Add("workflow_id", OrNone(session.workflow_id()));
  details.Add("project_name", OrNone(session.project_name()));
  details.Add("started_at", TextOf(session.started_at()));
  details.Add("last_active_at", TextOf(session.last_active_at()));
  details.Add("completed_at", session.has_completed_at() ? TextOf(session.completed_at()) : kNone);
  details.AddLines("checkpoints", CheckpointLines(session));
  details.Add("events", StrCat(session.version()));
  details.Add("position", StrCat(session.position()));
  details.AddLines("metadata", JsonLines(session.metadata().text()));
  return details.Render();
}

}  // namespace god33::cli
