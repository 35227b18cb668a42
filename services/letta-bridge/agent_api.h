#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "god33/letta/v1/letta_bridge.pb.h"
#include "pg/pool.h"
#include "reaction/event_factory.h"
#include "services/letta-bridge/agent_pool.h"
#include "services/letta-bridge/backend.h"
#include "services/letta-bridge/handoff.h"
#include "services/letta-bridge/metrics.h"

namespace god33::letta {

// Makes agents of callers' own, and hands tasks to agents. Thread-safe; calls block. Errors are those of
// LettaBridgeService.
class AgentApi {
 public:
  struct Parts {
    Backend& backend;
    pg::Pool& pool;
    const reaction::EventFactory& factory;
    Clock& clock;
    IdSource& ids;
    Metrics& metrics;
    const HandoffRules& rules;
    const std::string& model;  // of agents whose maker names none
  };
  explicit AgentApi(Parts parts) : parts_(parts) {}

  // `gone`: nobody waits for the answer any more.
  absl::Status Create(const v1::CreateAgentRequest& request, const std::function<bool()>& gone,
                      v1::CreateAgentResponse& response);

  absl::Status Assign(const v1::AssignTaskRequest& request, v1::AssignTaskResponse& response);

 private:
  // A hand-off to be made.
  struct Assignment {
    std::string payload;  // without workflow_id and the agent
    std::optional<Uuid> cause;
    std::optional<Uuid> workflow;
    std::string to_agent;
    std::string own_agent;  // Letta's id; empty: any of the type
    std::string from_agent;
    std::string idempotency_key;
  };
  struct Assigned {
    Uuid task_id;
    Uuid workflow_id;
    std::int64_t position = 0;
    bool duplicate = false;
  };

  static absl::StatusOr<Assignment> ReadAssignment(const v1::AssignTaskRequest& request);

  // Whom `agent_id` stands for.
  absl::Status Address(const std::string& agent_id, Assignment& assignment);

  // `before` writes what else belongs into the transaction.
  using Before = std::function<absl::Status(pg::Connection& connection)>;
  absl::StatusOr<Assigned> Commit(const Assignment& assignment, const Before& before);

  const Parts parts_;
};

}  // namespace god33::letta
