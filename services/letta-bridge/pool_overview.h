#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "god33/letta/v1/letta_bridge.pb.h"
#include "pg/connection.h"
#include "services/letta-bridge/task_list.h"

namespace god33::letta {

// Fills in all but most_sessions. `agent_types`: those that are configured, without letta-.
absl::Status ReadAgentPool(pg::Connection& connection, const Surroundings& around,
                           const std::vector<std::string>& agent_types,
                           v1::GetAgentPoolResponse& response);

}  // namespace god33::letta
