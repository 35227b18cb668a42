#include "services/letta-bridge/task_store.h"

#include "base/error.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "json/text_of.h"
#include "json/value.h"
#include "json/write.h"

namespace god33::letta {
namespace {

constexpr pg::Statement kLock = {
    "letta_lock_task", "SELECT state FROM letta_tasks WHERE task_id = $1::uuid FOR UPDATE"};

constexpr pg::Statement kTaskOfSession = {
    "letta_task_of_session", "SELECT task_id FROM letta_sessions WHERE session_id = $1::uuid"};

constexpr pg::Statement kInsertKey = {"letta_insert_key", R"sql(
  INSERT INTO letta_handoff_keys VALUES ($1::text, $2::text, $3::uuid) ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kInsert = {"letta_insert_task", R"sql(
  INSERT INTO letta_tasks
    (task_id, status, to_agent, workflow_id, session_id, priority, deadline, ready, state)
  VALUES ($1::uuid, $2::text, $3::text, $4::uuid, $5::uuid, $6::integer, $7::timestamptz, $8::boolean,
    $9::json))sql"};

constexpr pg::Statement kUpdate = {"letta_update_task", R"sql(
  UPDATE letta_tasks SET status = $2::text, session_id = $3::uuid, ready = $4::boolean, state = $5::json
  WHERE task_id = $1::uuid)sql"};

constexpr pg::Statement kInsertSession = {"letta_insert_session", R"sql(
  INSERT INTO letta_sessions VALUES ($1::uuid, $2::uuid) ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kInsertCheckpoint = {"letta_insert_checkpoint", R"sql(
  INSERT INTO letta_checkpoints
    (task_id, sequence, checkpoint_id, session_id, event_id, type, memory_digest, record, saved_at)
  VALUES ($1::uuid, $2::bigint, $3::text, $4::uuid, $5::uuid, $6::text, $7::text, $8::json,
    $9::timestamptz))sql"};

constexpr pg::Statement kInsertQuestion = {"letta_insert_question", R"sql(
  INSERT INTO letta_questions
    (request_id, task_id, workflow_id, agent, status, payload, asked_at, answer_by)
  VALUES ($1::uuid, $2::uuid, $3::uuid, $4::text, 'pending', $5::json, $6::timestamptz,
    $7::timestamptz)
  ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kSettleQuestion = {"letta_settle_question", R"sql(
  UPDATE letta_questions
  SET status = $2::text, settled_by = $3::uuid, settled_at = $4::timestamptz, answer = $5::text
  WHERE request_id = $1::uuid AND status = 'pending')sql"};

constexpr pg::Statement kKeepMemory = {"letta_keep_memory", R"sql(
  INSERT INTO letta_memories (digest, files, bytes) VALUES ($1::text, $2::json, $3::bigint)
  ON CONFLICT (digest) DO UPDATE SET kept_at = clock_timestamp())sql"};

constexpr pg::Statement kReadMemory = {"letta_read_memory",
                                       "SELECT files FROM letta_memories WHERE digest = $1::text"};

bool IsReady(const Task& task) {
  return task.status == TaskStatus::kPaused && task.question && task.question->settled_by;
}

pg::Params& OptionalId(pg::Params& params, const std::optional<Uuid>& id) {
  return id ? params.Id(*id) : params.Null();
}

absl::Status Update(pg::Connection& connection, const Task& task) {
  pg::Params params;
  params.Id(task.id).Text(NameOf(task.status));
  OptionalId(params, task.session_id).Bool(IsReady(task)).Text(WriteState(task));
  const auto updated = connection.Query(kUpdate, params);
  if (!updated.ok()) return updated.status();
  if (updated->affected() == 1) return absl::OkStatus();
  return absl::InternalError("a locked task has gone");
}

absl::Status InsertCheckpoint(pg::Connection& connection, const Task& task,
                              const sequence::NewEvent& event) {
  const json::Value payload = json::Value::Checked(event.envelope.payload);
  const auto sequence = payload.Find("sequence");
  pg::Params params;
  params.Id(task.id)
      .Int8(sequence ? sequence->ToInt64().value_or(0) : 0)
      .Text(TextOf(payload, "checkpoint_id"))
      .Id(task.session_id.value_or(Uuid()))
      .Id(event.envelope.id)
      .Text(TextOf(payload, "checkpoint_type"))
      .Text(TextOf(payload, "memory_digest"))
      .Text(event.envelope.payload)
      .Time(event.envelope.time);
  return connection.Query(kInsertCheckpoint, params).status();
}

absl::Status SettleQuestion(pg::Connection& connection, std::string_view status,
                            const sequence::NewEvent& event) {
  const json::Value payload = json::Value::Checked(event.envelope.payload);
  const auto request = Uuid::Parse(TextOf(payload, "request_id"));
  if (!request) return absl::InternalError("a settled question without request_id");
  pg::Params params;
  params.Id(*request).Text(status).Id(event.envelope.id).Time(event.envelope.time);
  const std::string decision = TextOf(payload, "decision");
  if (decision.empty()) {
    params.Null();
  } else {
    params.Text(decision);
  }
  return connection.Query(kSettleQuestion, params).status();
}

absl::Status InsertQuestion(pg::Connection& connection, const Task& task,
                            const sequence::NewEvent& event) {
  const json::Value payload = json::Value::Checked(event.envelope.payload);
  pg::Params params;
  params.Id(event.envelope.id)
      .Id(task.id)
      .Id(task.request.workflow_id)
      .Text(task.request.to_agent)
      .Text(event.envelope.payload)
      .Time(event.envelope.time);
  if (const auto by = ParseTimestamp(TextOf(payload, "deadline")); by.ok()) {
    params.Time(*by);
  } else {
    params.Null();
  }
  return connection.Query(kInsertQuestion, params).status();
}

// The rows beside the task's own that an event stands for.
absl::Status WriteRowsOf(pg::Connection& connection, const Task& task,
                         const sequence::NewEvent& event) {
  const std::string& type = event.envelope.type;
  if (type == "agent.letta.checkpoint.saved") return InsertCheckpoint(connection, task, event);
  if (type == "agent.feedback.requested") return InsertQuestion(connection, task, event);
  if (type == "agent.feedback.timed_out") return SettleQuestion(connection, "timed_out", event);
  if (type == "agent.feedback.withdrawn") return SettleQuestion(connection, "withdrawn", event);
  return absl::OkStatus();
}

event::AgentContext ContextOf(const Draft& draft) {
  event::AgentContext context{.type = draft.agent_type};
  if (!draft.instance_id.empty()) context.instance_id = draft.instance_id;
  if (!draft.checkpoint_id.empty()) context.checkpoint_id = draft.checkpoint_id;
  return context;
}

std::string WriteFiles(const std::vector<MemoryFile>& files) {
  std::string text;
  json::Writer writer(text);
  writer.BeginArray();
  for (const MemoryFile& file : files) {
    writer.BeginObject();
    writer.Key("path");
    writer.String(file.path);
    writer.Key("description");
    writer.String(file.description);
    writer.Key("content");
    writer.String(file.content);
    writer.EndObject();
  }
  writer.EndArray();
  return text;
}

}  // namespace

absl::StatusOr<Task> LockTask(pg::Connection& connection, const Uuid& task_id) {
  pg::Params params;
  params.Id(task_id);
  const auto found = connection.Query(kLock, params);
  if (!found.ok()) return found.status();
  if (found->rows() == 0) {
    return MakeError(absl::StatusCode::kNotFound, "TASK_UNKNOWN",
                     StrCat("there is no task ", task_id.ToString()));
  }
  return ReadState(found->Bytes(0, 0));
}

absl::StatusOr<Task> LockTaskOfSession(pg::Connection& connection, const Uuid& session_id) {
  pg::Params params;
  params.Id(session_id);
  const auto found = connection.Query(kTaskOfSession, params);
  if (!found.ok()) return found.status();
  if (found->rows() == 0) {
    return MakeError(absl::StatusCode::kNotFound, "SESSION_UNKNOWN",
                     StrCat("there is no session ", session_id.ToString(), " of the bridge's"));
  }
  return LockTask(connection, found->Id(0, 0));
}

absl::StatusOr<sequence::Unit> Record(pg::Connection& connection, TaskEvents& events,
                                      const reaction::EventFactory& factory) {
  const Task& task = events.task();
  sequence::Unit unit;
  for (Draft& draft : events.Take()) {
    auto event = factory.Make({.type = draft.type,
                               .payload = std::move(draft.payload),
                               .parents = std::move(draft.parents),
                               .agent_context = ContextOf(draft),
                               .id = draft.id});
    if (!event.ok()) return event.status();
    if (absl::Status status = WriteRowsOf(connection, task, *event); !status.ok()) return status;
    unit.events.push_back(*std::move(event));
  }
  if (task.session_id) {
    pg::Params params;
    params.Id(*task.session_id).Id(task.id);
    const auto inserted = connection.Query(kInsertSession, params);
    if (!inserted.ok()) return inserted.status();
  }
  if (absl::Status status = Update(connection, task); !status.ok()) return status;
  return unit;
}

absl::Status Fold(pg::Connection& connection, const TaskEvent& event, Task& task) {
  Apply(event, task);
  return Update(connection, task);
}

absl::StatusOr<bool> InsertTask(pg::Connection& connection, const Task& task) {
  const Request& request = task.request;
  if (!request.idempotency_key.empty()) {
    pg::Params key;
    key.Text(request.from_agent).Text(request.idempotency_key).Id(task.id);
    const auto inserted = connection.Query(kInsertKey, key);
    if (!inserted.ok()) return inserted.status();
    if (inserted->affected() == 0) return false;
  }
  pg::Params params;
  params.Id(task.id).Text(NameOf(task.status)).Text(request.to_agent).Id(request.workflow_id);
  OptionalId(params, task.session_id).Int4(request.priority);
  if (request.deadline) {
    params.Time(*request.deadline);
  } else {
    params.Null();
  }
  params.Bool(false).Text(WriteState(task));
  const auto inserted = connection.Query(kInsert, params);
  if (!inserted.ok()) return inserted.status();
  return true;
}

absl::StatusOr<std::string> KeepMemory(pg::Connection& connection,
                                       const std::vector<MemoryFile>& files) {
  const std::string text = WriteFiles(files);
  const std::string digest = Sha256Hex(text);
  pg::Params params;
  params.Text(digest).Text(text).Int8(static_cast<std::int64_t>(text.size()));
  const auto kept = connection.Query(kKeepMemory, params);
  if (!kept.ok()) return kept.status();
  return digest;
}

absl::StatusOr<std::vector<MemoryFile>> ReadMemoryOf(pg::Connection& connection,
                                                     const std::string& digest) {
  pg::Params params;
  params.Text(digest);
  const auto found = connection.Query(kReadMemory, params);
  if (!found.ok()) return found.status();
  if (found->rows() == 0) {
    return MakeError(absl::StatusCode::kNotFound, "CHECKPOINT_DROPPED",
                     "the memory of that checkpoint is kept no more");
  }
  std::vector<MemoryFile> files;
  for (const json::Value file : json::Value::Checked(found->Bytes(0, 0)).elements()) {
    files.push_back({.path = TextOf(file, "path"),
                     .description = TextOf(file, "description"),
                     .content = TextOf(file, "content")});
  }
  return files;
}

}  // namespace god33::letta
