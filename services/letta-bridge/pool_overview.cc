#include "services/letta-bridge/pool_overview.h"

#include <map>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "services/letta-bridge/work_queue.h"

namespace god33::letta {
namespace {

constexpr pg::Statement kAgents = {"letta_pool_agents", R"sql(
  SELECT agent_type, project,
    (count(*) FILTER (WHERE NOT own AND state = 'warm'))::integer,
    (count(*) FILTER (WHERE NOT own AND state = 'busy'))::integer,
    (count(*) FILTER (WHERE NOT own AND state = 'returned'))::integer,
    (count(*) FILTER (WHERE own))::integer,
    (count(*) FILTER (WHERE own AND state = 'busy'))::integer
  FROM letta_agents WHERE state <> 'gone' GROUP BY agent_type, project)sql"};

constexpr pg::Statement kWaiting = {"letta_pool_waiting", R"sql(
  SELECT t.to_agent, coalesce(w.project, ''), count(*)
  FROM letta_tasks AS t LEFT JOIN workflow_projects AS w USING (workflow_id)
  WHERE t.status = 'waiting' GROUP BY 1, 2)sql"};

}  // namespace

absl::Status ReadAgentPool(pg::Connection& connection, const Surroundings& around,
                           const std::vector<std::string>& agent_types,
                           v1::GetAgentPoolResponse& response) {
  std::map<std::pair<std::string, std::string>, v1::AgentPool> pools;
  const auto agents = connection.Query(kAgents);
  if (!agents.ok()) return agents.status();
  for (int row = 0; row < agents->rows(); ++row) {
    v1::AgentPool& pool =
        pools[{std::string(agents->Bytes(row, 0)), std::string(agents->Bytes(row, 1))}];
    pool.set_warm(agents->Int4(row, 2));
    pool.set_busy(agents->Int4(row, 3));
    pool.set_returned(agents->Int4(row, 4));
    pool.set_own(agents->Int4(row, 5));
    pool.set_own_busy(agents->Int4(row, 6));
  }
  const auto waiting = connection.Query(kWaiting);
  if (!waiting.ok()) return waiting.status();
  for (int row = 0; row < waiting->rows(); ++row) {
    pools[{std::string(waiting->Bytes(row, 0)), std::string(waiting->Bytes(row, 1))}].set_waiting(
        waiting->Int8(row, 2));
  }
  for (const std::string& type : agent_types) {
    const std::string name = StrCat("letta-", type);
    const auto at = pools.lower_bound({name, ""});
    if (at == pools.end() || at->first.first != name) pools[{name, ""}];
  }
  for (auto& [key, pool] : pools) {
    pool.set_agent_type(key.first);
    pool.set_project_name(key.second);
    pool.set_limit(around.agents_per_type);
    *response.add_pools() = std::move(pool);
  }
  response.set_letta_available(around.letta.ok());
  response.set_letta_detail(std::string(MessageOf(around.letta)));
  const auto open = CountOpen(connection);
  if (!open.ok()) return open.status();
  response.set_waiting(open->waiting);
  response.set_active(open->active);
  response.set_paused(open->paused);
  response.set_recovering(open->recovering);
  return absl::OkStatus();
}

}  // namespace god33::letta
