#include "services/letta-bridge/agent_pool.h"

#include "absl/strings/str_format.h"
#include "base/error.h"
#include "base/strings.h"

namespace god33::letta {
namespace {

// Two bridges don't both make the last agent that there may be.
constexpr pg::Statement kLockType = {"letta_lock_agent_type", R"sql(
  SELECT pg_advisory_xact_lock(33002, hashtext($1::text || '/' || $2::text)))sql"};

constexpr pg::Statement kTakeWarm = {"letta_take_warm", R"sql(
  UPDATE letta_agents SET state = 'busy', task_id = $3::uuid, changed_at = clock_timestamp()
  WHERE agent_id = (
    SELECT agent_id FROM letta_agents
    WHERE agent_type = $1::text AND project = $2::text AND state = 'warm' AND NOT own
    ORDER BY changed_at DESC LIMIT 1 FOR UPDATE SKIP LOCKED)
  RETURNING agent_id, instance_id, agent_type, project, own, suspect)sql"};

constexpr pg::Statement kCount = {"letta_count_agents", R"sql(
  SELECT count(*) FROM letta_agents
  WHERE agent_type = $1::text AND project = $2::text AND state <> 'gone' AND NOT own)sql"};

// Its id is not known yet; the name stands for it.
constexpr pg::Statement kReserve = {"letta_reserve_agent", R"sql(
  INSERT INTO letta_agents (agent_id, instance_id, agent_type, project, state, task_id, own, spec)
  VALUES ('to be made: ' || $1::text, $1::text, $2::text, $3::text, 'busy', $4::uuid, false, '{}')
  )sql"};

constexpr pg::Statement kTakeOwn = {"letta_take_own", R"sql(
  UPDATE letta_agents SET state = 'busy', task_id = $2::uuid, changed_at = clock_timestamp()
  WHERE agent_id = $1::text AND own AND state = 'warm'
  RETURNING agent_id, instance_id, agent_type, project, own, suspect)sql"};

constexpr pg::Statement kIsOwn = {"letta_is_own", R"sql(
  SELECT FROM letta_agents WHERE agent_id = $1::text AND own AND state <> 'gone')sql"};

constexpr pg::Statement kOfTask = {"letta_agent_of_task", R"sql(
  SELECT agent_id, instance_id, agent_type, project, own, suspect FROM letta_agents
  WHERE task_id = $1::uuid FOR UPDATE)sql"};

constexpr pg::Statement kNumber = {"letta_next_instance", R"sql(
  INSERT INTO letta_agent_numbers AS numbers VALUES ($1::text, 1)
  ON CONFLICT (agent_type) DO UPDATE SET made = numbers.made + 1 RETURNING made)sql"};

constexpr pg::Statement kInsertOwn = {"letta_insert_own", R"sql(
  INSERT INTO letta_agents (agent_id, instance_id, agent_type, project, state, own, spec)
  VALUES ($1::text, $2::text, $3::text, $4::text, 'warm', true, $5::json))sql"};

constexpr pg::Statement kKeep = {"letta_keep_agent", R"sql(
  UPDATE letta_agents SET agent_id = $2::text, spec = CASE WHEN own THEN spec ELSE $3::json END,
    changed_at = clock_timestamp()
  WHERE instance_id = $1::text)sql"};

constexpr pg::Statement kDrop = {"letta_drop_agent", R"sql(
  UPDATE letta_agents SET state = 'gone', task_id = NULL, changed_at = clock_timestamp()
  WHERE instance_id = $1::text)sql"};

constexpr pg::Statement kSuspect = {"letta_suspect_agent", R"sql(
  UPDATE letta_agents SET suspect = true WHERE task_id = $1::uuid)sql"};

constexpr pg::Statement kReturn = {"letta_return_agent", R"sql(
  UPDATE letta_agents SET task_id = NULL, changed_at = clock_timestamp(),
    state = CASE WHEN own THEN 'warm'
      WHEN suspect OR starts_with(agent_id, 'to be made: ') THEN 'gone' ELSE 'returned' END
  WHERE task_id = $1::uuid)sql"};

constexpr pg::Statement kWarm = {"letta_make_warm", R"sql(
  UPDATE letta_agents SET state = 'warm', changed_at = clock_timestamp()
  WHERE agent_id = $1::text AND state = 'returned')sql"};

constexpr pg::Statement kForgotten = {"letta_forgotten_agents", R"sql(
  UPDATE letta_agents SET changed_at = clock_timestamp()
  WHERE agent_id IN (
    SELECT agent_id FROM letta_agents
    WHERE state = 'returned' AND changed_at < clock_timestamp() - $1::bigint * interval '1 ms'
    ORDER BY changed_at LIMIT 10 FOR UPDATE SKIP LOCKED)
  RETURNING agent_id, instance_id, agent_type, project, own, suspect)sql"};

constexpr std::string_view kToBeMade = "to be made: ";

PooledAgent ReadAgent(const pg::Result& rows, int row) {
  PooledAgent agent{.agent_id = std::string(rows.Bytes(row, 0)),
                    .instance_id = std::string(rows.Bytes(row, 1)),
                    .agent_type = std::string(rows.Bytes(row, 2)),
                    .project = std::string(rows.Bytes(row, 3)),
                    .own = rows.Bool(row, 4),
                    .suspect = rows.Bool(row, 5)};
  if (agent.agent_id.starts_with(kToBeMade)) agent.agent_id.clear();
  return agent;
}

absl::StatusOr<std::optional<PooledAgent>> FirstAgent(const absl::StatusOr<pg::Result>& rows) {
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return std::nullopt;
  return ReadAgent(*rows, 0);
}

}  // namespace

absl::StatusOr<std::optional<PooledAgent>> TakeAgent(pg::Connection& connection,
                                                     const std::string& agent_type,
                                                     const std::string& project, int most,
                                                     const Uuid& task_id) {
  pg::Params type;
  type.Text(agent_type).Text(project);
  if (const auto locked = connection.Query(kLockType, type); !locked.ok()) return locked.status();
  pg::Params params;
  params.Text(agent_type).Text(project).Id(task_id);
  auto warm = FirstAgent(connection.Query(kTakeWarm, params));
  if (!warm.ok() || *warm) return warm;

  const auto count = connection.Query(kCount, type);
  if (!count.ok()) return count.status();
  if (count->Int8(0, 0) >= most) return std::nullopt;
  const auto instance = NextInstance(connection, agent_type);
  if (!instance.ok()) return instance.status();
  pg::Params reserve;
  reserve.Text(*instance).Text(agent_type).Text(project).Id(task_id);
  const auto reserved = connection.Query(kReserve, reserve);
  if (!reserved.ok()) return reserved.status();
  return PooledAgent{.instance_id = *instance, .agent_type = agent_type, .project = project};
}

absl::StatusOr<std::optional<PooledAgent>> TakeOwnAgent(pg::Connection& connection,
                                                        const std::string& agent_id,
                                                        const Uuid& task_id) {
  pg::Params params;
  params.Text(agent_id).Id(task_id);
  auto taken = FirstAgent(connection.Query(kTakeOwn, params));
  if (!taken.ok() || *taken) return taken;
  pg::Params named;
  named.Text(agent_id);
  const auto known = connection.Query(kIsOwn, named);
  if (!known.ok()) return known.status();
  if (known->rows() > 0) return std::nullopt;
  return MakeError(absl::StatusCode::kNotFound, "AGENT_UNKNOWN",
                   StrCat("there is no agent ", Clip(agent_id, 100)));
}

absl::StatusOr<std::optional<PooledAgent>> AgentOfTask(pg::Connection& connection,
                                                       const Uuid& task_id) {
  pg::Params params;
  params.Id(task_id);
  return FirstAgent(connection.Query(kOfTask, params));
}

absl::StatusOr<std::string> NextInstance(pg::Connection& connection,
                                         const std::string& agent_type) {
  pg::Params params;
  params.Text(agent_type);
  const auto number = connection.Query(kNumber, params);
  if (!number.ok()) return number.status();
  return absl::StrFormat("%s-%03d", agent_type, number->Int8(0, 0));
}

absl::Status InsertOwnAgent(pg::Connection& connection, const PooledAgent& agent,
                            const std::string& spec_json) {
  pg::Params params;
  params.Text(agent.agent_id)
      .Text(agent.instance_id)
      .Text(agent.agent_type)
      .Text(agent.project)
      .Text(spec_json);
  return connection.Query(kInsertOwn, params).status();
}

absl::Status KeepAgent(pg::Connection& connection, const PooledAgent& agent,
                       const std::string& agent_id, const std::string& spec_json) {
  pg::Params params;
  params.Text(agent.instance_id).Text(agent_id).Text(spec_json);
  return connection.Query(kKeep, params).status();
}

absl::Status DropAgent(pg::Connection& connection, const std::string& instance_id) {
  pg::Params params;
  params.Text(instance_id);
  return connection.Query(kDrop, params).status();
}

absl::Status SuspectAgent(pg::Connection& connection, const Uuid& task_id) {
  pg::Params params;
  params.Id(task_id);
  return connection.Query(kSuspect, params).status();
}

absl::Status ReturnAgent(pg::Connection& connection, const Uuid& task_id) {
  pg::Params params;
  params.Id(task_id);
  return connection.Query(kReturn, params).status();
}

absl::Status MakeWarm(pg::Connection& connection, const std::string& agent_id) {
  pg::Params params;
  params.Text(agent_id);
  return connection.Query(kWarm, params).status();
}

absl::StatusOr<std::vector<PooledAgent>> ForgottenAgents(pg::Connection& connection,
                                                         absl::Duration ago) {
  pg::Params params;
  params.Int8(ago / absl::Milliseconds(1));
  const auto rows = connection.Query(kForgotten, params);
  if (!rows.ok()) return rows.status();
  std::vector<PooledAgent> agents;
  for (int row = 0; row < rows->rows(); ++row) agents.push_back(ReadAgent(*rows, row));
  return agents;
}

}  // namespace god33::letta
