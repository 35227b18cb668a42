#include "services/letta-bridge/work_queue.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "json/text.h"
#include "services/letta-bridge/task_store.h"

namespace god33::letta {
namespace {

constexpr pg::Statement kFind = {"letta_find_work", R"sql(
  SELECT task.task_id
  FROM letta_tasks AS task LEFT JOIN letta_leases AS lease USING (task_id)
    LEFT JOIN workflow_projects AS owner ON owner.workflow_id = task.workflow_id
  WHERE (task.status IN ('waiting', 'active', 'recovering')
      OR task.status = 'paused' AND (task.ready
        OR EXISTS (SELECT FROM letta_orders AS o WHERE o.task_id = task.task_id AND o.kind = 'resume')))
    AND (lease.task_id IS NULL OR lease.expires_at <= clock_timestamp()
      -- From before the clock was set back.
      OR lease.expires_at > clock_timestamp() + 2 * $2::bigint * interval '1 ms')
    AND NOT (task.status = 'waiting'
      AND (task.to_agent || '/' || coalesce(owner.project, '')) = ANY ($3::text[]))
  ORDER BY task.priority DESC, task.deadline NULLS LAST, task.arrival
  LIMIT $1::bigint)sql"};

// Only what concerns claiming; the state is read under the lock.
constexpr pg::Statement kTryLock = {"letta_try_lock_task", R"sql(
  SELECT task.status,
    task.ready OR EXISTS (SELECT FROM letta_orders AS o WHERE o.task_id = task.task_id AND o.kind = 'resume'),
    coalesce((SELECT project FROM workflow_projects AS w WHERE w.workflow_id = task.workflow_id), '')
  FROM letta_tasks AS task WHERE task_id = $1::uuid FOR UPDATE OF task SKIP LOCKED)sql"};

constexpr pg::Statement kLostHolder = {"letta_lost_holder", R"sql(
  SELECT holder <> $2::text AND expires_at > '-infinity' FROM letta_leases
  WHERE task_id = $1::uuid FOR UPDATE)sql"};

constexpr pg::Statement kNoteWait = {"letta_note_wait", R"sql(
  UPDATE letta_tasks SET waits_for = nullif($2::text, '')
  WHERE task_id = $1::uuid AND waits_for IS DISTINCT FROM nullif($2::text, ''))sql"};

constexpr pg::Statement kCount = {"letta_count_open", R"sql(
  SELECT count(*) FILTER (WHERE status = 'waiting'), count(*) FILTER (WHERE status = 'active'),
    count(*) FILTER (WHERE status = 'paused'), count(*) FILTER (WHERE status = 'recovering')
  FROM letta_tasks WHERE status IN ('waiting', 'active', 'paused', 'recovering'))sql"};

}  // namespace

absl::StatusOr<std::vector<Uuid>> FindWork(pg::Connection& connection, int most,
                                           const absl::flat_hash_set<std::string>& exhausted) {
  pg::Array pools(pg::Type::kText);
  for (const std::string& pool : exhausted) pools.Text(pool);
  pg::Params params;
  params.Int8(most).Int8(absl::ToInt64Milliseconds(kLeaseTime)).Array(std::move(pools));
  const auto rows = connection.Query(kFind, params);
  if (!rows.ok()) return rows.status();
  std::vector<Uuid> tasks;
  for (int row = 0; row < rows->rows(); ++row) tasks.push_back(rows->Id(row, 0));
  return tasks;
}

absl::StatusOr<ClaimResult> ClaimTask(pg::Connection& connection, const Uuid& task_id,
                                      const std::string& holder, int agents_per_type,
                                      absl::Time now) {
  pg::Params params;
  params.Id(task_id);
  const auto locked = connection.Query(kTryLock, params);
  if (!locked.ok()) return locked.status();
  if (locked->rows() == 0) return ClaimResult{};
  const auto status = TaskStatusNamed(locked->Bytes(0, 0));
  const bool can_go_on = status == TaskStatus::kPaused && locked->Bool(0, 1);
  if (!status || IsOver(*status) || (status == TaskStatus::kPaused && !can_go_on)) {
    return ClaimResult{};
  }
  const std::string project(locked->Bytes(0, 2));
  pg::Params named;
  named.Id(task_id).Text(holder);
  const auto before = connection.Query(kLostHolder, named);
  if (!before.ok()) return before.status();
  const bool lost = before->rows() > 0 && before->Bool(0, 0);
  auto lease = TakeLease(connection, task_id, holder);
  if (!lease.ok()) return lease.status();
  if (!*lease) return ClaimResult{};
  auto task = LockTask(connection, task_id);
  if (!task.ok()) return task.status();

  const Request& request = task->request;
  if (task->status == TaskStatus::kWaiting && request.deadline && *request.deadline <= now) {
    if (absl::Status released = ReleaseLease(connection, **lease); !released.ok()) return released;
    return ClaimResult{.why = NotClaimed::kLate, .rejected = *std::move(task)};
  }
  if (lost) {
    if (absl::Status noted = SuspectAgent(connection, task_id); !noted.ok()) return noted;
  }
  auto agent = AgentOfTask(connection, task_id);
  if (agent.ok() && !*agent) {
    agent = request.agent_id.empty()
                ? TakeAgent(connection, request.to_agent, project, agents_per_type, task_id)
                : TakeOwnAgent(connection, request.agent_id, task_id);
  }
  if (absl::IsNotFound(agent.status()) && task->status == TaskStatus::kWaiting) {
    if (absl::Status released = ReleaseLease(connection, **lease); !released.ok()) return released;
    return ClaimResult{.why = NotClaimed::kUnknown, .rejected = *std::move(task)};
  }
  if (!agent.ok()) return agent.status();
  if (!*agent) {
    return ClaimResult{.why = NotClaimed::kNoAgent, .pool = StrCat(request.to_agent, "/", project)};
  }
  if (absl::Status noted = NoteWait(connection, task_id, ""); !noted.ok()) return noted;
  return ClaimResult{.claim = Claim{.lease = **std::move(lease),
                                    .task = *std::move(task),
                                    .agent = **std::move(agent),
                                    .holder_was_lost = lost}};
}

absl::Status NoteWait(pg::Connection& connection, const Uuid& task_id, std::string_view why) {
  pg::Params params;
  params.Id(task_id).Text(json::CleanText(why));
  return connection.Query(kNoteWait, params).status();
}

absl::StatusOr<OpenTasks> CountOpen(pg::Connection& connection) {
  const auto row = connection.Query(kCount);
  if (!row.ok()) return row.status();
  return OpenTasks{.waiting = row->Int8(0, 0),
                   .active = row->Int8(0, 1),
                   .paused = row->Int8(0, 2),
                   .recovering = row->Int8(0, 3)};
}

}  // namespace god33::letta
