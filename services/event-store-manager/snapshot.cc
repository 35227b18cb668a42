#include "services/event-store-manager/snapshot.h"

namespace god33::manager {
namespace {

// From the last row that was copied on: that one is there and not counted, so no row counted is the end.
// At the horizon nothing was frozen (drop_event_month sees to that).
constexpr pg::Statement kSeedWorkflows = {"seed_workflows", R"sql(
  INSERT INTO shadow.workflow_state SELECT * FROM snapshot.workflow_state
  WHERE workflow_id >= coalesce(
    (SELECT workflow_id FROM shadow.workflow_state ORDER BY workflow_id DESC LIMIT 1),
    '00000000-0000-0000-0000-000000000000')
  ORDER BY workflow_id LIMIT 2000 ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kSeedSessions = {"seed_sessions", R"sql(
  INSERT INTO shadow.agent_sessions SELECT * FROM snapshot.agent_sessions
  WHERE session_id >= coalesce(
    (SELECT session_id FROM shadow.agent_sessions ORDER BY session_id DESC LIMIT 1),
    '00000000-0000-0000-0000-000000000000')
  ORDER BY session_id LIMIT 2000 ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kSeedWorkflow = {"seed_workflow", R"sql(
  INSERT INTO shadow.workflow_state SELECT * FROM snapshot.workflow_state
  WHERE workflow_id = $1::uuid)sql"};

constexpr pg::Statement kSeedSession = {"seed_session", R"sql(
  INSERT INTO shadow.agent_sessions SELECT * FROM snapshot.agent_sessions
  WHERE session_id = $1::uuid)sql"};

}  // namespace

absl::StatusOr<bool> SeedStep(pg::Connection& connection) {
  const auto workflows = connection.Query(kSeedWorkflows);
  if (!workflows.ok()) return workflows.status();
  const auto sessions = connection.Query(kSeedSessions);
  if (!sessions.ok()) return sessions.status();
  return workflows->affected() + sessions->affected() > 0;
}

absl::Status SeedOne(pg::Connection& connection, const ProjectionScope& scope) {
  const pg::Statement& statement = scope.workflow ? kSeedWorkflow : kSeedSession;
  const Uuid id = scope.workflow ? *scope.workflow : *scope.session;
  return connection.Query(statement, pg::Params().Id(id)).status();
}

}  // namespace god33::manager
