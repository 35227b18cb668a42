#include "services/event-store-manager/projection_store.h"

#include <deque>
#include <utility>

#include "base/strings.h"
#include "json/text.h"

namespace god33::manager {
namespace {

using projection::SessionState;
using projection::WorkflowState;

constexpr pg::Statement kHead = {"projector_head",
                                 "SELECT coalesce(max(position), 0) FROM event_ids"};

constexpr pg::Statement kWorkflows = {"read_workflow_states", R"sql(
  SELECT workflow_id, project_name, current_phase, coalesce(current_agent, ''), started_at, updated_at,
         completed_at, metadata, correlation_ids, phase_history, agent_handoffs, version, position
  FROM workflow_state WHERE workflow_id = ANY($1::uuid[]))sql"};

// Arrays of arrays would have to be rectangular: correlation_ids comes as text.
constexpr pg::Statement kSaveWorkflows = {"save_workflow_states", R"sql(
  INSERT INTO workflow_state (workflow_id, project_name, current_phase, current_agent, started_at,
    updated_at, completed_at, metadata, correlation_ids, phase_history, agent_handoffs, version, position)
  SELECT id, project, phase, agent, started, updated, completed, metadata, events::uuid[], phases,
    handoffs, version, position
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
      $7::timestamptz[], $8::json[], $9::text[], $10::json[], $11::json[], $12::bigint[], $13::bigint[])
    AS t (id, project, phase, agent, started, updated, completed, metadata, events, phases, handoffs,
      version, position)
  ON CONFLICT (workflow_id) DO UPDATE SET project_name = excluded.project_name,
    current_phase = excluded.current_phase, current_agent = excluded.current_agent,
    started_at = excluded.started_at, updated_at = excluded.updated_at,
    completed_at = excluded.completed_at, metadata = excluded.metadata,
    correlation_ids = excluded.correlation_ids, phase_history = excluded.phase_history,
    agent_handoffs = excluded.agent_handoffs, version = excluded.version,
    position = excluded.position)sql"};

constexpr pg::Statement kSessions = {"read_session_states", R"sql(
  SELECT session_id, agent_type, coalesce(agent_instance_id, ''), coalesce(checkpoint_id, ''),
         workflow_id, coalesce(project_name, ''), started_at, last_active_at, completed_at, status,
         metadata, version, position
  FROM agent_sessions WHERE session_id = ANY($1::uuid[]))sql"};

constexpr pg::Statement kSaveSessions = {"save_session_states", R"sql(
  INSERT INTO agent_sessions (session_id, agent_type, agent_instance_id, checkpoint_id, workflow_id,
    project_name, started_at, last_active_at, completed_at, status, metadata, version, position)
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[],
    $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::text[], $11::json[], $12::bigint[],
    $13::bigint[])
  ON CONFLICT (session_id) DO UPDATE SET agent_type = excluded.agent_type,
    agent_instance_id = excluded.agent_instance_id, checkpoint_id = excluded.checkpoint_id,
    workflow_id = excluded.workflow_id, project_name = excluded.project_name,
    started_at = excluded.started_at, last_active_at = excluded.last_active_at,
    completed_at = excluded.completed_at, status = excluded.status, metadata = excluded.metadata,
    version = excluded.version, position = excluded.position)sql"};

constexpr pg::Statement kFrozenAmong = {"find_fold_failures", R"sql(
  SELECT projection, aggregate_id, since, position, error, attempts FROM fold_failures
  WHERE projection = $1::text AND aggregate_id = ANY($2::uuid[]))sql"};

constexpr pg::Statement kNextRetry = {"next_fold_retry", R"sql(
  SELECT projection, aggregate_id, since, position, error, attempts FROM fold_failures
  WHERE next_attempt_at <= clock_timestamp() ORDER BY next_attempt_at LIMIT 1)sql"};

constexpr pg::Statement kCountFrozen = {"count_fold_failures",
                                        "SELECT count(*) FROM fold_failures"};

constexpr pg::Statement kFreeze = {"freeze_fold", R"sql(
  INSERT INTO fold_failures (projection, aggregate_id, since, position, error, attempts, next_attempt_at)
  VALUES ($1::text, $2::uuid, $3::bigint, $4::bigint, $5::text, $6::integer,
    clock_timestamp() + make_interval(secs => $7::bigint))
  ON CONFLICT (projection, aggregate_id) DO UPDATE SET since = excluded.since,
    position = excluded.position, error = excluded.error, attempts = excluded.attempts,
    next_attempt_at = excluded.next_attempt_at)sql"};

constexpr pg::Statement kThaw = {"thaw_fold", R"sql(
  DELETE FROM fold_failures WHERE projection = $1::text AND aggregate_id = $2::uuid)sql"};

constexpr pg::Statement kFillProjects = {"fill_projects", R"sql(
  WITH members AS (
    SELECT e.position, e.recorded_at, p.project
    FROM workflow_projects AS p
      JOIN memberships AS m ON m.kind = 'w' AND m.group_id = p.workflow_id AND m.position < p.position
      JOIN events AS e ON e.position = m.position
    WHERE p.position > $1::bigint AND p.position <= $2::bigint AND e.project IS NULL
    LIMIT 1000)
  UPDATE events AS e SET project = m.project FROM members AS m
  WHERE e.position = m.position AND e.recorded_at = m.recorded_at)sql"};

void TimeOrNull(pg::Array& times, const std::optional<absl::Time>& time) {
  if (time) {
    times.Time(*time);
  } else {
    times.Null();
  }
}

std::string ArrayText(const std::deque<Uuid>& ids) {
  std::string text = "{";
  for (const Uuid& id : ids) StrAppend(&text, text.size() > 1 ? "," : "", id.ToString());
  return text + "}";
}

// The rows of one statement, column by column.
class WorkflowRows {
 public:
  void Add(const WorkflowState& state) {
    id_.Id(state.id);
    project_.Text(state.project_name);
    phase_.Text(state.current_phase);
    agent_.TextOrNull(state.current_agent);
    started_.Time(state.started_at);
    updated_.Time(state.updated_at);
    TimeOrNull(completed_, state.completed_at);
    AddLarge(metadata_, projection::MetadataJson(state));
    AddLarge(events_, ArrayText(state.events));
    AddLarge(phases_, projection::PhaseHistoryJson(state));
    AddLarge(handoffs_, projection::HandoffsJson(state));
    version_.Int8(state.version);
    position_.Int8(state.position);
  }

  std::size_t bytes() const { return bytes_; }

  absl::Status Save(pg::Connection& connection) && {
    pg::Params params;
    for (pg::Array* column : {&id_, &project_, &phase_, &agent_, &started_, &updated_, &completed_,
                              &metadata_, &events_, &phases_, &handoffs_, &version_, &position_}) {
      params.Array(std::move(*column));
    }
    return connection.Query(kSaveWorkflows, params).status();
  }

 private:
  void AddLarge(pg::Array& column, const std::string& text) {
    column.Text(text);
    bytes_ += text.size();
  }

  pg::Array id_{pg::Type::kUuid}, project_{pg::Type::kText}, phase_{pg::Type::kText},
      agent_{pg::Type::kText}, started_{pg::Type::kTimestamptz}, updated_{pg::Type::kTimestamptz},
      completed_{pg::Type::kTimestamptz}, metadata_{pg::Type::kJson}, events_{pg::Type::kText},
      phases_{pg::Type::kJson}, handoffs_{pg::Type::kJson}, version_{pg::Type::kInt8},
      position_{pg::Type::kInt8};
  std::size_t bytes_ = 0;
};

class SessionRows {
 public:
  void Add(const SessionState& state) {
    id_.Id(state.id);
    type_.Text(state.agent_type);
    instance_.TextOrNull(state.agent_instance_id);
    checkpoint_.TextOrNull(state.checkpoint_id);
    workflow_.OptionalId(state.workflow_id);
    project_.TextOrNull(state.project_name);
    started_.Time(state.started_at);
    active_.Time(state.last_active_at);
    TimeOrNull(completed_, state.completed_at);
    status_.Text(state.status);
    const std::string metadata = projection::MetadataJson(state);
    metadata_.Text(metadata);
    bytes_ += metadata.size();
    version_.Int8(state.version);
    position_.Int8(state.position);
  }

  std::size_t bytes() const { return bytes_; }

  absl::Status Save(pg::Connection& connection) && {
    pg::Params params;
    for (pg::Array* column :
         {&id_, &type_, &instance_, &checkpoint_, &workflow_, &project_, &started_, &active_,
          &completed_, &status_, &metadata_, &version_, &position_}) {
      params.Array(std::move(*column));
    }
    return connection.Query(kSaveSessions, params).status();
  }

 private:
  pg::Array id_{pg::Type::kUuid}, type_{pg::Type::kText}, instance_{pg::Type::kText},
      checkpoint_{pg::Type::kText}, workflow_{pg::Type::kUuid}, project_{pg::Type::kText},
      started_{pg::Type::kTimestamptz}, active_{pg::Type::kTimestamptz},
      completed_{pg::Type::kTimestamptz}, status_{pg::Type::kText}, metadata_{pg::Type::kJson},
      version_{pg::Type::kInt8}, position_{pg::Type::kInt8};
  std::size_t bytes_ = 0;
};

// Many rows a statement, as far as its size allows.
template <typename Rows, typename State>
absl::Status SaveInPortions(const std::map<Uuid, State>& states, pg::Connection& connection) {
  constexpr std::size_t kMostBytes = 1 << 20;
  auto state = states.begin();
  while (state != states.end()) {
    Rows rows;
    for (; state != states.end() && rows.bytes() < kMostBytes; ++state) rows.Add(state->second);
    if (absl::Status status = std::move(rows).Save(connection); !status.ok()) return status;
  }
  return absl::OkStatus();
}

ProjectionStore::Failure ReadFailure(const pg::Result& rows, int row) {
  return {.projection = std::string(rows.Bytes(row, 0)),
          .aggregate = rows.Id(row, 1),
          .since = rows.Int8(row, 2),
          .position = rows.Int8(row, 3),
          .error = std::string(rows.Bytes(row, 4)),
          .attempts = rows.Int4(row, 5)};
}

}  // namespace

absl::StatusOr<std::int64_t> ProjectionStore::Head() {
  const auto rows = connection_.Query(kHead);
  if (!rows.ok()) return rows.status();
  return rows->Int8(0, 0);
}

absl::StatusOr<std::map<Uuid, WorkflowState>> ProjectionStore::Workflows(
    const std::vector<Uuid>& ids) {
  std::map<Uuid, WorkflowState> states;
  for (const Uuid& id : ids) states[id].id = id;
  if (ids.empty()) return states;
  const auto rows = connection_.Query(kWorkflows, pg::Params().Ids(ids));
  if (!rows.ok()) return rows.status();
  for (int i = 0; i < rows->rows(); ++i) {
    WorkflowState& state = states[rows->Id(i, 0)];
    state.project_name = rows->Bytes(i, 1);
    state.current_phase = rows->Bytes(i, 2);
    state.current_agent = rows->Bytes(i, 3);
    state.started_at = rows->Time(i, 4);
    state.updated_at = rows->Time(i, 5);
    state.completed_at = rows->OptionalTime(i, 6);
    projection::ReadMetadata(rows->Bytes(i, 7), state);
    const std::vector<Uuid> events = rows->Ids(i, 8);
    state.events = {events.begin(), events.end()};
    projection::ReadPhaseHistory(rows->Bytes(i, 9), state);
    projection::ReadHandoffs(rows->Bytes(i, 10), state);
    state.version = rows->Int8(i, 11);
    state.position = rows->Int8(i, 12);
  }
  return states;
}

absl::StatusOr<std::map<Uuid, SessionState>> ProjectionStore::Sessions(
    const std::vector<Uuid>& ids) {
  std::map<Uuid, SessionState> states;
  for (const Uuid& id : ids) states[id].id = id;
  if (ids.empty()) return states;
  const auto rows = connection_.Query(kSessions, pg::Params().Ids(ids));
  if (!rows.ok()) return rows.status();
  for (int i = 0; i < rows->rows(); ++i) {
    SessionState& state = states[rows->Id(i, 0)];
    state.agent_type = rows->Bytes(i, 1);
    state.agent_instance_id = rows->Bytes(i, 2);
    state.checkpoint_id = rows->Bytes(i, 3);
    state.workflow_id = rows->OptionalId(i, 4);
    state.project_name = rows->Bytes(i, 5);
    state.started_at = rows->Time(i, 6);
    state.last_active_at = rows->Time(i, 7);
    state.completed_at = rows->OptionalTime(i, 8);
    state.status = rows->Bytes(i, 9);
    projection::ReadMetadata(rows->Bytes(i, 10), state);
    state.version = rows->Int8(i, 11);
    state.position = rows->Int8(i, 12);
  }
  return states;
}

absl::Status ProjectionStore::Save(const std::map<Uuid, WorkflowState>& workflows) {
  return SaveInPortions<WorkflowRows>(workflows, connection_);
}

absl::Status ProjectionStore::Save(const std::map<Uuid, SessionState>& sessions) {
  return SaveInPortions<SessionRows>(sessions, connection_);
}

absl::StatusOr<std::vector<ProjectionStore::Failure>> ProjectionStore::FrozenAmong(
    const std::string& projection, const std::vector<Uuid>& ids) {
  const auto rows = connection_.Query(kFrozenAmong, pg::Params().Text(projection).Ids(ids));
  if (!rows.ok()) return rows.status();
  std::vector<Failure> failures;
  for (int i = 0; i < rows->rows(); ++i) failures.push_back(ReadFailure(*rows, i));
  return failures;
}

absl::StatusOr<std::optional<ProjectionStore::Failure>> ProjectionStore::NextRetry() {
  const auto rows = connection_.Query(kNextRetry);
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return std::nullopt;
  return ReadFailure(*rows, 0);
}

absl::StatusOr<std::int64_t> ProjectionStore::CountFrozen() {
  const auto rows = connection_.Query(kCountFrozen);
  if (!rows.ok()) return rows.status();
  return rows->Int8(0, 0);
}

absl::Status ProjectionStore::Freeze(const Failure& failure, absl::Duration retry_in) {
  return connection_
      .Query(kFreeze, pg::Params()
                          .Text(failure.projection)
                          .Id(failure.aggregate)
                          .Int8(failure.since)
                          .Int8(failure.position)
                          .Text(json::CleanText(failure.error))
                          .Int4(failure.attempts)
                          .Int8(absl::ToInt64Seconds(retry_in)))
      .status();
}

absl::Status ProjectionStore::Thaw(const Failure& failure) {
  return connection_.Query(kThaw, pg::Params().Text(failure.projection).Id(failure.aggregate))
      .status();
}

absl::StatusOr<std::int64_t> ProjectionStore::FillProjects(std::int64_t after, std::int64_t up_to) {
  const auto filled = connection_.Query(kFillProjects, pg::Params().Int8(after).Int8(up_to));
  if (!filled.ok()) return filled.status();
  return filled->affected();
}

}  // namespace god33::manager
