#include "services/letta-bridge/checkpoint_list.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "json/value.h"
#include "json/write.h"
#include "services/letta-bridge/fields.h"
#include "services/letta-bridge/task_list.h"
#include "services/letta-bridge/task_store.h"
#include "wire/timestamp.h"

namespace god33::letta {
namespace {

#define GOD33_CHECKPOINT_COLUMNS                                                         \
  "c.checkpoint_id, c.saved_at, c.type, c.session_id, c.task_id, c.sequence, c.record, " \
  "c.event_id, c.memory_digest"

constexpr pg::Statement kList = {"letta_api_checkpoints", "SELECT " GOD33_CHECKPOINT_COLUMNS R"sql(
  FROM letta_checkpoints AS c
  WHERE c.task_id = $1::uuid AND ($2::uuid IS NULL OR c.session_id = $2::uuid)
    AND c.sequence < $3::bigint
  ORDER BY c.sequence DESC LIMIT $4::bigint)sql"};

constexpr pg::Statement kGet = {"letta_api_checkpoint", "SELECT " GOD33_CHECKPOINT_COLUMNS R"sql(
  FROM letta_checkpoints AS c JOIN letta_tasks AS t USING (task_id)
  WHERE c.checkpoint_id = $1::text AND $2::text IN (c.session_id::text, c.task_id::text, t.to_agent,
    c.record ->> 'agent_instance_id', c.record -> 'letta' ->> 'agent_id'))sql"};

// The event is longer there than the row.
constexpr pg::Statement kWasSaved = {"letta_api_checkpoint_was_saved", R"sql(
  SELECT coalesce(e.agent_id, ''), e.payload, coalesce(e.agent_context, '{}')
  FROM events AS e
  WHERE e.checkpoint_id = $1::text AND e.event_type = 'agent.letta.checkpoint.saved'
  LIMIT 10)sql"};

constexpr pg::Statement kInitial = {"letta_api_initial_checkpoint", R"sql(
  SELECT made_at, spec FROM letta_agents
  WHERE instance_id = $1::text AND own AND $2::text IN (agent_id, instance_id, agent_type))sql"};

constexpr std::string_view kInitialPrefix = "letta-checkpoint-initial-";
constexpr std::size_t kMostName = 255;

void Fill(const pg::Result& rows, int row, v1::LettaCheckpoint& checkpoint) {
  const auto text = [&](int column) { return std::string(rows.Bytes(row, column)); };
  checkpoint.set_checkpoint_id(text(0));
  *checkpoint.mutable_created_at() = wire::ToProto(rows.Time(row, 1));
  checkpoint.set_type(text(2));
  checkpoint.set_session_id(rows.Id(row, 3).ToString());
  checkpoint.set_task_id(rows.Id(row, 4).ToString());
  checkpoint.set_sequence(rows.Int8(row, 5));
  checkpoint.mutable_context()->set_text(text(6));
  checkpoint.set_event_id(rows.Id(row, 7).ToString());
  checkpoint.set_memory_digest(text(8));
}

std::string SnapshotOf(const std::vector<MemoryFile>& files) {
  std::string text;
  json::Writer writer(text);
  writer.BeginObject();
  for (const MemoryFile& file : files) {
    writer.Key(file.path);
    writer.String(file.content);
  }
  writer.EndObject();
  return text;
}

absl::Status NotFound(const std::string& id, const std::string& agent) {
  return MakeError(absl::StatusCode::kNotFound, "CHECKPOINT_NOT_FOUND",
                   StrCat("there is no checkpoint ", id, " of ", agent), "checkpoint_id");
}

absl::Status Dropped(const std::string& id) {
  return MakeError(absl::StatusCode::kOutOfRange, "RETENTION",
                   StrCat("checkpoint ", id, " was dropped; its event is still in the log"),
                   "checkpoint_id");
}

std::string TextIn(const json::Value& object, std::string_view key) {
  const auto value = object.Find(key);
  return value && value->is_string() ? value->ToString() : std::string();
}

// Whether the event on the row is of this agent's. Not asked of PostgreSQL, whose ->> fails at what others may have
// published: \u0000, or half a surrogate pair.
bool IsOf(const pg::Result& rows, int row, const std::string& agent) {
  const json::Value payload = json::Value::Checked(rows.Bytes(row, 1));
  const json::Value context = json::Value::Checked(rows.Bytes(row, 2));
  if (agent == rows.Bytes(row, 0) || agent == TextIn(payload, "session_id") ||
      agent == TextIn(payload, "task_id") || agent == TextIn(context, "type")) {
    return true;
  }
  const auto letta = payload.Find("letta");
  return letta && letta->is_object() && agent == TextIn(*letta, "agent_id");
}

absl::Status ReadInitial(pg::Connection& connection, const v1::GetLettaCheckpointRequest& request,
                         v1::LettaCheckpoint& checkpoint) {
  const std::string& id = request.checkpoint_id();
  pg::Params params;
  params.Text(id.substr(kInitialPrefix.size())).Text(request.agent_id());
  const auto rows = connection.Query(kInitial, params);
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return NotFound(id, request.agent_id());
  checkpoint.set_checkpoint_id(id);
  checkpoint.set_type("initial");
  *checkpoint.mutable_created_at() = wire::ToProto(rows->Time(0, 0));
  std::string context;
  json::Writer writer(context);
  writer.BeginObject();
  for (const json::Member member : json::Value::Checked(rows->Bytes(0, 1)).members()) {
    if (member.Is("memory")) {
      checkpoint.mutable_memory_snapshot()->set_text(std::string(member.value.text()));
    } else {
      writer.RawKey(member.raw_key);
      writer.Raw(member.value.text());
    }
  }
  writer.EndObject();
  checkpoint.mutable_context()->set_text(std::move(context));
  return absl::OkStatus();
}

}  // namespace

std::string InitialCheckpointId(const std::string& instance_id) {
  return StrCat(kInitialPrefix, instance_id);
}

absl::Status ListCheckpoints(pg::Connection& connection,
                             const v1::ListLettaCheckpointsRequest& request,
                             v1::ListLettaCheckpointsResponse& response) {
  if (request.task_id().empty() == request.session_id().empty()) {
    return InvalidField("task_id", "expected either task_id or session_id");
  }
  const auto task = ReadIdOrNone("task_id", request.task_id());
  if (!task.ok()) return task.status();
  const auto session = ReadIdOrNone("session_id", request.session_id());
  if (!session.ok()) return session.status();
  const auto limit = ReadLimit(request.has_limit(), request.limit());
  if (!limit.ok()) return limit.status();
  const std::string fingerprint =
      StrCat("checkpoints|", request.task_id(), "|", request.session_id());
  const auto token = ReadPageToken(fingerprint, request.page_token());
  if (!token.ok()) return token.status();
  const auto of = TaskNamed(connection, *session ? **session : **task);
  if (!of.ok()) return of.status();
  pg::Params params;
  params.Id(*of);
  if (*session) {
    params.Id(**session);
  } else {
    params.Null();
  }
  params.Int8(*token ? (*token)->number : std::numeric_limits<std::int64_t>::max())
      .Int8(*limit + 1);
  const auto rows = connection.Query(kList, params);
  if (!rows.ok()) return rows.status();
  for (int row = 0; row < std::min(rows->rows(), *limit); ++row) {
    Fill(*rows, row, *response.add_checkpoints());
  }
  if (rows->rows() > *limit) {
    response.set_next_page_token(
        WritePageToken(fingerprint, {.number = rows->Int8(*limit - 1, 5)}));
  }
  return absl::OkStatus();
}

absl::Status ReadCheckpoint(pg::Connection& connection,
                            const v1::GetLettaCheckpointRequest& request,
                            v1::LettaCheckpoint& checkpoint) {
  const std::string& id = request.checkpoint_id();
  for (absl::Status status : {CheckText("agent_id", request.agent_id(), 1, kMostName),
                              CheckText("checkpoint_id", id, 1, kMostName)}) {
    if (!status.ok()) return status;
  }
  if (id.starts_with(kInitialPrefix)) return ReadInitial(connection, request, checkpoint);
  pg::Params params;
  params.Text(id).Text(request.agent_id());
  const auto found = connection.Query(kGet, params);
  if (!found.ok()) return found.status();
  if (found->rows() == 0) {
    pg::Params saved;
    saved.Text(id);
    const auto was = connection.Query(kWasSaved, saved);
    if (!was.ok()) return was.status();
    for (int row = 0; row < was->rows(); ++row) {
      if (IsOf(*was, row, request.agent_id())) return Dropped(id);
    }
    return NotFound(id, request.agent_id());
  }
  Fill(*found, 0, checkpoint);
  const auto memory = ReadMemoryOf(connection, checkpoint.memory_digest());
  if (ReasonOf(memory.status()) == "CHECKPOINT_DROPPED") return Dropped(id);
  if (!memory.ok()) return memory.status();
  checkpoint.mutable_memory_snapshot()->set_text(SnapshotOf(*memory));
  return absl::OkStatus();
}

}  // namespace god33::letta
