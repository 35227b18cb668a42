#include "services/event-store-manager/projection_jobs.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "json/text.h"

namespace god33::manager {
namespace {

constexpr pg::Statement kInsert = {"insert_projection_job", R"sql(
  WITH job AS (
    INSERT INTO projection_jobs (job_id, kind, requested_by, workflow_id, session_id)
    VALUES ($1::uuid, $2::text, $3::text, $4::uuid, $5::uuid) RETURNING job_id)
  SELECT pg_notify('god33_log', '') FROM job)sql"};

#define GOD33_JOB_COLUMNS                                                                      \
  "job_id, kind, state, phase, requested_by, workflow_id, session_id, position, within,"       \
  " target, folded, compared_at, checked, changed, added, removed, swap_attempts, generation," \
  " error, created_at, updated_at, ended_at, month"

constexpr pg::Statement kRunning = {"running_projection_job",
                                    "SELECT " GOD33_JOB_COLUMNS
                                    " FROM projection_jobs WHERE state = 'running'"};

constexpr pg::Statement kFind = {"find_projection_job",
                                 "SELECT " GOD33_JOB_COLUMNS
                                 " FROM projection_jobs WHERE job_id = $1::uuid"};

constexpr pg::Statement kList = {"list_projection_jobs", "SELECT " GOD33_JOB_COLUMNS R"sql(
  FROM projection_jobs WHERE $1::text = '' OR state = $1::text
  ORDER BY created_at DESC, job_id LIMIT $2::integer)sql"};

constexpr pg::Statement kNewestSnapshot = {"newest_snapshot", "SELECT " GOD33_JOB_COLUMNS R"sql(
  FROM projection_jobs WHERE kind = 'snapshot' ORDER BY created_at DESC LIMIT 1)sql"};

constexpr pg::Statement kCancel = {"cancel_projection_job", R"sql(
  UPDATE projection_jobs SET state = 'cancelled', updated_at = clock_timestamp(),
    ended_at = clock_timestamp()
  WHERE job_id = $1::uuid AND state = 'running')sql"};

constexpr pg::Statement kSave = {"save_projection_job", R"sql(
  UPDATE projection_jobs SET state = $2::text, phase = $3::text, position = $4::bigint,
    within = $5::bigint, target = $6::bigint, folded = $7::bigint, compared_at = $8::bigint,
    checked = $9::bigint, changed = $10::bigint, added = $11::bigint, removed = $12::bigint,
    swap_attempts = $13::integer, generation = $14::bigint, error = $15::text,
    updated_at = clock_timestamp(),
    ended_at = CASE WHEN $2::text <> 'running' THEN clock_timestamp() END
  WHERE job_id = $1::uuid AND state = 'running')sql"};

constexpr pg::Statement kNote = {"note_projection_job", R"sql(
  UPDATE projection_jobs SET error = $2::text, updated_at = clock_timestamp(),
    state = CASE WHEN $3::boolean THEN 'failed' ELSE state END,
    ended_at = CASE WHEN $3::boolean THEN clock_timestamp() END
  WHERE job_id = $1::uuid AND state = 'running')sql"};

constexpr pg::Statement kAddDifference = {"add_projection_difference", R"sql(
  INSERT INTO projection_differences (job_id, n, projection, aggregate_id, difference, column_name,
    live, folded)
  VALUES ($1::uuid, $2::integer, $3::text, $4::uuid, $5::text, $6::text, $7::text, $8::text))sql"};

constexpr pg::Statement kDifferences = {"list_projection_differences", R"sql(
  SELECT projection, aggregate_id, difference, column_name, live, folded
  FROM projection_differences WHERE job_id = $1::uuid ORDER BY n)sql"};

constexpr pg::Statement kStatus = {"projection_status", R"sql(
  SELECT coalesce((SELECT position FROM cursors WHERE name = 'projector'), 0),
    (SELECT coalesce(max(position), 0) FROM event_ids),
    (SELECT generation FROM projection_identity), (SELECT count(*) FROM fold_failures))sql"};

constexpr pg::Statement kFailures = {"list_fold_failures", R"sql(
  SELECT projection, aggregate_id, since, position, error, attempts FROM fold_failures
  ORDER BY failed_at, projection, aggregate_id LIMIT $1::integer)sql"};

constexpr pg::Statement kIsThere = {"projection_is_there", R"sql(
  SELECT EXISTS (SELECT FROM workflow_state WHERE workflow_id = $1::uuid)
    OR EXISTS (SELECT FROM memberships WHERE kind = 'w' AND group_id = $1::uuid)
    OR EXISTS (SELECT FROM agent_sessions WHERE session_id = $2::uuid)
    OR EXISTS (SELECT FROM events WHERE session_id = $2::uuid))sql"};

template <typename Value, typename Add>
void AddOptional(pg::Params& params, const std::optional<Value>& value, Add add) {
  if (value) {
    (params.*add)(*value);
  } else {
    params.Null();
  }
}

std::optional<std::int64_t> OptionalInt8(const pg::Result& rows, int row, int column) {
  if (rows.IsNull(row, column)) return std::nullopt;
  return rows.Int8(row, column);
}

std::optional<std::string> OptionalText(const pg::Result& rows, int row, int column) {
  if (rows.IsNull(row, column)) return std::nullopt;
  return std::string(rows.Bytes(row, column));
}

ProjectionJob ReadJob(const pg::Result& rows, int row) {
  return {.id = rows.Id(row, 0),
          .kind = std::string(rows.Bytes(row, 1)),
          .state = std::string(rows.Bytes(row, 2)),
          .phase = std::string(rows.Bytes(row, 3)),
          .requested_by = std::string(rows.Bytes(row, 4)),
          .scope = {.workflow = rows.OptionalId(row, 5), .session = rows.OptionalId(row, 6)},
          .cursor = {.position = rows.Int8(row, 7), .within = rows.Int8(row, 8)},
          .target = rows.Int8(row, 9),
          .folded = rows.Int8(row, 10),
          .compared_at = OptionalInt8(rows, row, 11),
          .counts = {.checked = rows.Int8(row, 12),
                     .changed = rows.Int8(row, 13),
                     .added = rows.Int8(row, 14),
                     .removed = rows.Int8(row, 15)},
          .swap_attempts = rows.Int4(row, 16),
          .generation = OptionalInt8(rows, row, 17),
          .month = rows.OptionalTime(row, 22),
          .error = std::string(rows.Bytes(row, 18)),
          .created_at = rows.Time(row, 19),
          .updated_at = rows.Time(row, 20),
          .ended_at = rows.OptionalTime(row, 21)};
}

absl::StatusOr<std::optional<ProjectionJob>> OnlyJob(const absl::StatusOr<pg::Result>& rows) {
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return std::nullopt;
  return ReadJob(*rows, 0);
}

}  // namespace

absl::Status ProjectionJobs::Insert(const ProjectionJob& job) {
  pg::Params params;
  params.Id(job.id).Text(job.kind).Text(job.requested_by);
  AddOptional(params, job.scope.workflow, &pg::Params::Id);
  AddOptional(params, job.scope.session, &pg::Params::Id);
  const absl::Status status = connection_.Query(kInsert, params).status();
  if (!absl::IsAlreadyExists(status)) return status;
  const auto running = Running();
  if (!running.ok()) return running.status();
  return MakeError(
      absl::StatusCode::kAborted, "PROJECTION_JOB_RUNNING",
      *running ? StrCat("the ", (*running)->kind, " ", (*running)->id.ToString(),
                        " is running, and one at a time may; wait for its end, or cancel it")
               : "another job was running until now; try again");
}

absl::StatusOr<std::optional<ProjectionJob>> ProjectionJobs::Running() {
  return OnlyJob(connection_.Query(kRunning));
}

absl::StatusOr<std::optional<ProjectionJob>> ProjectionJobs::Find(const Uuid& id) {
  return OnlyJob(connection_.Query(kFind, pg::Params().Id(id)));
}

absl::StatusOr<std::optional<ProjectionJob>> ProjectionJobs::NewestSnapshot() {
  return OnlyJob(connection_.Query(kNewestSnapshot));
}

absl::StatusOr<std::vector<ProjectionJob>> ProjectionJobs::List(const std::string& state,
                                                                int limit) {
  const auto rows = connection_.Query(kList, pg::Params().Text(state).Int4(limit));
  if (!rows.ok()) return rows.status();
  std::vector<ProjectionJob> jobs;
  for (int i = 0; i < rows->rows(); ++i) jobs.push_back(ReadJob(*rows, i));
  return jobs;
}

absl::StatusOr<std::vector<ProjectionDifference>> ProjectionJobs::Differences(const Uuid& id) {
  const auto rows = connection_.Query(kDifferences, pg::Params().Id(id));
  if (!rows.ok()) return rows.status();
  std::vector<ProjectionDifference> differences;
  for (int i = 0; i < rows->rows(); ++i) {
    differences.push_back({.table = std::string(rows->Bytes(i, 0)),
                           .id = rows->Id(i, 1),
                           .difference = std::string(rows->Bytes(i, 2)),
                           .column = std::string(rows->Bytes(i, 3)),
                           .live = OptionalText(*rows, i, 4),
                           .folded = OptionalText(*rows, i, 5)});
  }
  return differences;
}

absl::StatusOr<ProjectionStatus> ProjectionJobs::Status(int most_failures) {
  const auto rows = connection_.Query(kStatus);
  if (!rows.ok()) return rows.status();
  ProjectionStatus status{.position = rows->Int8(0, 0),
                          .head = rows->Int8(0, 1),
                          .generation = rows->Int8(0, 2),
                          .frozen = rows->Int8(0, 3)};
  const auto failures = connection_.Query(kFailures, pg::Params().Int4(most_failures));
  if (!failures.ok()) return failures.status();
  for (int i = 0; i < failures->rows(); ++i) {
    status.failures.push_back({.projection = std::string(failures->Bytes(i, 0)),
                               .aggregate = failures->Id(i, 1),
                               .since = failures->Int8(i, 2),
                               .position = failures->Int8(i, 3),
                               .error = std::string(failures->Bytes(i, 4)),
                               .attempts = failures->Int4(i, 5)});
  }
  return status;
}

absl::StatusOr<bool> ProjectionJobs::IsThere(const ProjectionScope& scope) {
  pg::Params params;
  AddOptional(params, scope.workflow, &pg::Params::Id);
  AddOptional(params, scope.session, &pg::Params::Id);
  const auto there = connection_.Query(kIsThere, params);
  if (!there.ok()) return there.status();
  return there->Bool(0, 0);
}

absl::Status ProjectionJobs::Cancel(const Uuid& id) {
  return connection_.Query(kCancel, pg::Params().Id(id)).status();
}

absl::Status ProjectionJobs::Save(const ProjectionJob& job) {
  pg::Params params;
  params.Id(job.id).Text(job.state).Text(job.phase);
  params.Int8(job.cursor.position).Int8(job.cursor.within).Int8(job.target).Int8(job.folded);
  AddOptional(params, job.compared_at, &pg::Params::Int8);
  params.Int8(job.counts.checked).Int8(job.counts.changed);
  params.Int8(job.counts.added).Int8(job.counts.removed).Int4(job.swap_attempts);
  AddOptional(params, job.generation, &pg::Params::Int8);
  params.Text(job.error);
  const auto saved = connection_.Query(kSave, params);
  if (!saved.ok()) return saved.status();
  if (saved->affected() == 1) return absl::OkStatus();
  return MakeError(absl::StatusCode::kCancelled, "PROJECTION_JOB_ENDED",
                   StrCat("the job ", job.id.ToString(), " was ended"));
}

absl::Status ProjectionJobs::AddDifferences(const Uuid& id,
                                            const std::vector<ProjectionDifference>& found) {
  int n = 0;
  for (const ProjectionDifference& difference : found) {
    pg::Params params;
    params.Id(id).Int4(++n).Text(difference.table).Id(difference.id);
    params.Text(difference.difference).Text(difference.column);
    AddOptional(params, difference.live, &pg::Params::Text);
    AddOptional(params, difference.folded, &pg::Params::Text);
    if (const auto added = connection_.Query(kAddDifference, params); !added.ok()) {
      return added.status();
    }
  }
  return absl::OkStatus();
}

absl::Status ProjectionJobs::Note(const Uuid& id, const std::string& error, bool failed) {
  return connection_.Query(kNote, pg::Params().Id(id).Text(json::CleanText(error)).Bool(failed))
      .status();
}

}  // namespace god33::manager
