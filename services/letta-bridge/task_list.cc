#include "services/letta-bridge/task_list.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/error.h"
#include "base/strings.h"
#include "json/text.h"
#include "json/value.h"
#include "services/letta-bridge/fields.h"
#include "services/letta-bridge/questions.h"
#include "services/letta-bridge/task.h"
#include "wire/timestamp.h"

namespace god33::letta {
namespace {

// Behind the columns of its own, each statement has these of tasks AS t.
#define GOD33_TASK_COLUMNS                                                                  \
  "t.state, t.waits_for, e.\"timestamp\", l.holder, l.epoch, l.expires_at, "                \
  "coalesce(l.expires_at > clock_timestamp(), false), "                                     \
  "c.checkpoint_id, c.saved_at, c.type, c.session_id, c.sequence, c.event_id, "             \
  "c.memory_digest, "                                                                       \
  "ARRAY(SELECT o.kind FROM letta_orders AS o WHERE o.task_id = t.task_id "                 \
  "      ORDER BY o.asked_at, o.kind), "                                                    \
  "ARRAY(SELECT o.reason FROM letta_orders AS o WHERE o.task_id = t.task_id "               \
  "      ORDER BY o.asked_at, o.kind), "                                                    \
  "ARRAY(SELECT o.asked_by FROM letta_orders AS o WHERE o.task_id = t.task_id "             \
  "      ORDER BY o.asked_at, o.kind), "                                                    \
  "ARRAY(SELECT (extract(epoch FROM o.asked_at) * 1000000)::bigint FROM letta_orders AS o " \
  "      WHERE o.task_id = t.task_id ORDER BY o.asked_at, o.kind), "                        \
  "ARRAY(SELECT s.session_id FROM letta_sessions AS s WHERE s.task_id = t.task_id "         \
  "      ORDER BY s.session_id), "                                                          \
  "queue.nth, pool.warm, pool.made"

// t must be there before; the queue's order is that of FindWork (work_queue.cc).
#define GOD33_TASK_JOINS                                                                          \
  " LEFT JOIN letta_leases AS l ON l.task_id = t.task_id AND l.expires_at > '-infinity' "         \
  "LEFT JOIN event_ids AS i ON i.event_id = t.task_id "                                           \
  "LEFT JOIN events AS e ON e.position = i.position "                                             \
  "LEFT JOIN LATERAL (SELECT * FROM letta_checkpoints AS newest "                                 \
  "  WHERE newest.task_id = t.task_id ORDER BY newest.sequence DESC LIMIT 1) AS c ON true "       \
  "LEFT JOIN (SELECT w.task_id, row_number() OVER (PARTITION BY w.to_agent "                      \
  "    ORDER BY w.priority DESC, w.deadline NULLS LAST, w.arrival) AS nth "                       \
  "  FROM letta_tasks AS w WHERE w.status = 'waiting') AS queue ON queue.task_id = t.task_id "    \
  "LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE a.state = 'warm') AS warm, count(*) AS made " \
  "  FROM letta_agents AS a WHERE a.agent_type = t.to_agent AND a.state <> 'gone' AND NOT a.own " \
  "    AND a.project = coalesce((SELECT p.project FROM workflow_projects AS p "                   \
  "      WHERE p.workflow_id = t.workflow_id), '')) AS pool ON t.status = 'waiting' "

constexpr pg::Statement kGet = {"letta_api_task", "SELECT " GOD33_TASK_COLUMNS
                                                  " FROM letta_tasks AS t" GOD33_TASK_JOINS
                                                  "WHERE t.task_id = $1::uuid"};

constexpr pg::Statement kList = {"letta_api_tasks",
                                 "SELECT t.arrival, " GOD33_TASK_COLUMNS
                                 " FROM (SELECT * FROM letta_tasks"
                                 "  WHERE ($1::text[] IS NULL OR status = ANY ($1::text[]))"
                                 "    AND ($2::text IS NULL OR to_agent = $2::text)"
                                 "    AND ($3::uuid IS NULL OR workflow_id = $3::uuid)"
                                 "    AND arrival < $4::bigint"
                                 "  ORDER BY arrival DESC LIMIT $5::bigint) AS t" GOD33_TASK_JOINS
                                 "ORDER BY t.arrival DESC"};

// Ids of sessions are made in the order of time.
constexpr pg::Statement kListSessions = {
    "letta_api_sessions",
    "SELECT t.of_session, t.is_newest, " GOD33_TASK_COLUMNS
    " FROM (SELECT task.*, s.session_id AS of_session, s.session_id = task.session_id AS is_newest"
    "  FROM letta_sessions AS s JOIN letta_tasks AS task USING (task_id)"
    "  WHERE ($1::text IS NULL OR $1::text ="
    "      CASE WHEN s.session_id = task.session_id THEN task.status ELSE 'failed' END)"
    "    AND ($2::text IS NULL OR task.to_agent = $2::text)"
    "    AND ($3::uuid IS NULL OR task.workflow_id = $3::uuid)"
    "    AND ($4::uuid IS NULL OR task.task_id = $4::uuid)"
    "    AND ($5::uuid IS NULL OR s.session_id < $5::uuid)"
    "  ORDER BY s.session_id DESC LIMIT $6::bigint) AS t" GOD33_TASK_JOINS
    "ORDER BY t.of_session DESC"};

constexpr pg::Statement kGetSession = {
    "letta_api_session",
    "SELECT t.of_session, t.is_newest, " GOD33_TASK_COLUMNS
    " FROM (SELECT task.*, s.session_id AS of_session, s.session_id = task.session_id AS is_newest"
    "  FROM letta_sessions AS s JOIN letta_tasks AS task USING (task_id)"
    "  WHERE s.session_id = $1::uuid"
    "    OR (task.task_id = $1::uuid AND s.session_id = task.session_id)) AS t" GOD33_TASK_JOINS};

constexpr pg::Statement kQuestions = {"letta_api_questions_of", R"sql(
  SELECT request_id, payload FROM letta_questions WHERE request_id = ANY ($1::uuid[]))sql"};

constexpr pg::Statement kOwnAgents = {"letta_api_own_agents", R"sql(
  SELECT agent_id, state FROM letta_agents WHERE own AND agent_id = ANY ($1::text[]))sql"};

constexpr pg::Statement kNamed = {"letta_api_task_named", R"sql(
  SELECT task_id FROM letta_sessions WHERE session_id = $1::uuid
  UNION SELECT task_id FROM letta_tasks WHERE task_id = $1::uuid)sql"};

// Columns, counted from the first of GOD33_TASK_COLUMNS.
enum Column {
  kState,
  kNoted,
  kRequestedAt,
  kHolder,
  kEpoch,
  kExpiresAt,
  kHeld,
  kCheckpointId,
  kSavedAt,
  kCheckpointType,
  kCheckpointSession,
  kSequence,
  kCheckpointEvent,
  kDigest,
  kOrderKinds,
  kOrderReasons,
  kOrderers,
  kOrderTimes,
  kSessions,
  kQueue,
  kWarm,
  kMade,
};

constexpr std::array<const char*, 4> kPriorities = {"low", "normal", "high", "urgent"};

std::string PriorityName(int priority) {
  return kPriorities.at(static_cast<std::size_t>(priority < -1 || priority > 2 ? 1 : priority + 1));
}

struct Wait {
  std::string what;
  std::string detail;
};

// One row, from `first` on.
class TaskRow {
 public:
  TaskRow(const pg::Result& rows, int row, int first) : rows_(rows), row_(row), first_(first) {}

  bool IsNull(Column column) const { return rows_.IsNull(row_, first_ + column); }
  std::string Text(Column column) const { return std::string(rows_.Bytes(row_, first_ + column)); }
  std::int64_t Int8(Column column) const { return rows_.Int8(row_, first_ + column); }
  std::string Id(Column column) const { return rows_.Id(row_, first_ + column).ToString(); }
  google::protobuf::Timestamp Time(Column column) const {
    return wire::ToProto(rows_.Time(row_, first_ + column));
  }
  bool held() const { return rows_.Bool(row_, first_ + kHeld); }
  std::vector<std::string_view> Texts(Column column) const {
    return rows_.Texts(row_, first_ + column);
  }
  std::vector<std::int64_t> Int8s(Column column) const {
    return rows_.Int8s(row_, first_ + column);
  }
  std::vector<Uuid> Ids(Column column) const { return rows_.Ids(row_, first_ + column); }

 private:
  const pg::Result& rows_;
  int row_;
  int first_;
};

// What the states of some tasks name. By ids that are read here: PostgreSQL's ->> fails at a state that holds \u0000
// or half a surrogate pair anywhere, as a hand-off's context may.
struct Named {
  std::vector<Task> tasks;                                   // of the rows
  absl::flat_hash_map<Uuid, std::string> questions;          // payloads
  absl::flat_hash_map<std::string, std::string> own_agents;  // states
};

absl::StatusOr<Named> ReadNamed(pg::Connection& connection, const pg::Result& rows, int count,
                                int first) {
  Named named;
  std::vector<Uuid> questions;
  pg::Array agents(pg::Type::kText);
  for (int row = 0; row < count; ++row) {
    auto task = ReadState(rows.Bytes(row, first + kState));
    if (!task.ok()) return task.status();
    if (task->question) questions.push_back(task->question->request_id);
    if (!task->request.agent_id.empty()) agents.Text(json::CleanText(task->request.agent_id));
    named.tasks.push_back(*std::move(task));
  }
  if (!questions.empty()) {
    pg::Params params;
    params.Ids(questions);
    const auto found = connection.Query(kQuestions, params);
    if (!found.ok()) return found.status();
    for (int row = 0; row < found->rows(); ++row) {
      named.questions[found->Id(row, 0)] = std::string(found->Bytes(row, 1));
    }
  }
  if (agents.size() > 0) {
    pg::Params params;
    params.Array(std::move(agents));
    const auto found = connection.Query(kOwnAgents, params);
    if (!found.ok()) return found.status();
    for (int row = 0; row < found->rows(); ++row) {
      named.own_agents[std::string(found->Bytes(row, 0))] = std::string(found->Bytes(row, 1));
    }
  }
  return named;
}

Wait WaitForAgent(const TaskRow& row, const Task& task, const Named& named,
                  const Surroundings& around) {
  const Request& request = task.request;
  if (!request.agent_id.empty()) {
    const auto own = named.own_agents.find(request.agent_id);
    if (own == named.own_agents.end()) {
      return {"agent", StrCat("there is no agent ", request.agent_id)};
    }
    if (own->second == "busy") {
      return {"agent", StrCat(request.agent_id, " works on another task")};
    }
  } else if (row.Int8(kWarm) == 0 && row.Int8(kMade) >= around.agents_per_type) {
    return {"agent", StrCat("all ", row.Int8(kMade), " agents of ", request.to_agent,
                            " for this project have work")};
  }
  if (!row.IsNull(kNoted)) return {"bridge", row.Text(kNoted)};
  return {"bridge", "it is about to be taken, unless all bridges have all the work they may"};
}

Wait WaitOf(const TaskRow& row, const Task& task, const Named& named, const Surroundings& around) {
  const bool settled = task.question && task.question->settled_by;
  switch (task.status) {
    case TaskStatus::kWaiting:
      if (!around.letta.ok()) return {"letta", std::string(MessageOf(around.letta))};
      return WaitForAgent(row, task, named, around);
    case TaskStatus::kPaused:
      if (task.question && !settled) return {"answer", "a human is asked"};
      if (settled) return {"bridge", "the answer is there; it is about to go on"};
      for (const std::string_view kind : row.Texts(kOrderKinds)) {
        if (kind == "resume") return {"bridge", "it is about to go on"};
      }
      return {"resume", "it was paused; resume it"};
    case TaskStatus::kActive:
      if (row.held()) return {};
      return {"recovery", "the bridge that worked on it gives no sign of life"};
    case TaskStatus::kRecovering:
      if (!around.letta.ok()) return {"letta", std::string(MessageOf(around.letta))};
      return {"recovery", StrCat("its session failed: ", task.reason)};
    default:
      return {};
  }
}

void FillRequest(const Request& request, v1::Task& proto) {
  proto.set_workflow_id(request.workflow_id.ToString());
  proto.set_from_agent(request.from_agent);
  proto.set_agent_type(request.to_agent);
  proto.set_task_type(request.task_type);
  proto.set_description(request.description);
  proto.set_priority(PriorityName(request.priority));
  if (request.deadline) *proto.mutable_deadline() = wire::ToProto(*request.deadline);
}

void FillCheckpoint(const TaskRow& row, const Task& task, v1::LettaCheckpoint& proto) {
  proto.set_checkpoint_id(row.Text(kCheckpointId));
  *proto.mutable_created_at() = row.Time(kSavedAt);
  proto.set_type(row.Text(kCheckpointType));
  proto.set_session_id(row.Id(kCheckpointSession));
  proto.set_task_id(task.id.ToString());
  proto.set_sequence(row.Int8(kSequence));
  proto.set_event_id(row.Id(kCheckpointEvent));
  proto.set_memory_digest(row.Text(kDigest));
}

void FillOrders(const TaskRow& row, v1::Task& proto) {
  const auto kinds = row.Texts(kOrderKinds);
  const auto reasons = row.Texts(kOrderReasons);
  const auto orderers = row.Texts(kOrderers);
  const auto times = row.Int8s(kOrderTimes);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    v1::TaskOrder& order = *proto.add_orders();
    order.set_kind(std::string(kinds[i]));
    order.set_reason(std::string(reasons[i]));
    order.set_asked_by(std::string(orderers[i]));
    *order.mutable_asked_at() = wire::ToProto(absl::FromUnixMicros(times[i]));
  }
}

void FillQuestion(const Named& named, const Question& question, v1::TaskQuestion& proto) {
  proto.set_request_id(question.request_id.ToString());
  proto.set_settled(question.settled_by.has_value());
  const auto found = named.questions.find(question.request_id);
  if (found == named.questions.end()) return;
  const json::Value payload = json::Value::Checked(found->second);
  proto.set_question(QuestionIn(payload));
  for (std::string& option : OptionsIn(payload)) proto.add_options(std::move(option));
}

void Fill(const TaskRow& row, const Task& task, const Named& named, const Surroundings& around,
          v1::Task& proto) {
  proto.set_task_id(task.id.ToString());
  proto.set_status(std::string(NameOf(task.status)));
  proto.set_reason(task.reason);
  FillRequest(task.request, proto);
  if (!row.IsNull(kRequestedAt)) *proto.mutable_requested_at() = row.Time(kRequestedAt);
  if (task.session_id) {
    proto.set_session_id(task.session_id->ToString());
    proto.set_instance_id(task.instance_id);
    proto.set_agent_id(task.agent_id);
    proto.set_conversation_id(task.conversation_id);
  }
  Wait wait = WaitOf(row, task, named, around);
  proto.set_waits_for(std::move(wait.what));
  proto.set_waits_detail(std::move(wait.detail));
  if (!row.IsNull(kQueue)) proto.set_queue_position(row.Int8(kQueue));
  if (row.held()) {
    proto.mutable_lease()->set_holder(row.Text(kHolder));
    proto.mutable_lease()->set_epoch(row.Int8(kEpoch));
    *proto.mutable_lease()->mutable_expires_at() = row.Time(kExpiresAt);
  }
  if (!row.IsNull(kCheckpointId)) FillCheckpoint(row, task, *proto.mutable_checkpoint());
  if (task.question) FillQuestion(named, *task.question, *proto.mutable_question());
  FillOrders(row, proto);
  for (const Uuid& session : row.Ids(kSessions)) proto.add_sessions(session.ToString());
  proto.set_recoveries(task.recoveries);
}

void FillSession(const pg::Result& rows, int row, const Named& named, const Surroundings& around,
                 v1::LettaSession& session) {
  Fill(TaskRow(rows, row, 2), named.tasks.at(static_cast<std::size_t>(row)), named, around,
       *session.mutable_task());
  session.set_session_id(rows.Id(row, 0).ToString());
  session.set_newest(rows.Bool(row, 1));
  session.set_status(session.newest() ? session.task().status() : "failed");
}

// A filter that is given must hold something: an empty one never means "all".
absl::Status AddText(std::string_view field, bool given, const std::string& text,
                     pg::Params& params) {
  if (!given) {
    params.Null();
    return absl::OkStatus();
  }
  params.Text(text);
  return CheckText(field, text, 1, 255);
}

absl::Status AddId(std::string_view field, bool given, const std::string& text,
                   pg::Params& params) {
  if (!given) {
    params.Null();
    return absl::OkStatus();
  }
  const auto id = ReadId(field, text);
  params.Id(id.value_or(Uuid()));
  return id.status();
}

absl::Status AddStatuses(const std::string& status, pg::Params& params) {
  if (status.empty()) {
    params.Null();
    return absl::OkStatus();
  }
  pg::Array wanted(pg::Type::kText);
  if (status == "open") {
    for (const char* open : {"waiting", "active", "paused", "recovering"}) wanted.Text(open);
  } else if (TaskStatusNamed(status)) {
    wanted.Text(status);
  } else {
    return InvalidField("status",
                        StrCat("expected waiting, active, paused, recovering, completed, blocked, "
                               "rejected, cancelled or open, got \"",
                               Clip(status, 40), "\""));
  }
  params.Array(std::move(wanted));
  return absl::OkStatus();
}

absl::Status AddSessionStatus(const std::string& status, pg::Params& params) {
  if (status.empty()) {
    params.Null();
    return absl::OkStatus();
  }
  params.Text(status);
  for (const char* known :
       {"active", "paused", "recovering", "completed", "blocked", "cancelled", "failed"}) {
    if (status == known) return absl::OkStatus();
  }
  return InvalidField("status",
                      StrCat("expected active, paused, recovering, completed, blocked, cancelled "
                             "or failed, got \"",
                             Clip(status, 40), "\""));
}

absl::Status Unknown(const char* reason, const char* what, const Uuid& id, const char* field) {
  return MakeError(absl::StatusCode::kNotFound, reason,
                   StrCat("there is no ", what, " ", id.ToString(), " of the bridge's"), field);
}

}  // namespace

absl::Status ListTasks(pg::Connection& connection, const Surroundings& around,
                       const v1::ListTasksRequest& request, v1::ListTasksResponse& response) {
  pg::Params params;
  absl::Status status =
      FirstError({AddStatuses(request.status(), params),
                  AddText("agent_type", request.has_agent_type(), request.agent_type(), params),
                  AddId("workflow_id", request.has_workflow_id(), request.workflow_id(), params)});
  if (!status.ok()) return status;
  const auto limit = ReadLimit(request.has_limit(), request.limit());
  if (!limit.ok()) return limit.status();
  const std::string fingerprint =
      StrCat("tasks|", request.status(), "|", request.agent_type(), "|", request.workflow_id());
  const auto token = ReadPageToken(fingerprint, request.page_token());
  if (!token.ok()) return token.status();
  params.Int8(*token ? (*token)->number : std::numeric_limits<std::int64_t>::max())
      .Int8(*limit + 1);
  const auto rows = connection.Query(kList, params);
  if (!rows.ok()) return rows.status();
  const int count = std::min(rows->rows(), *limit);
  const auto named = ReadNamed(connection, *rows, count, 1);
  if (!named.ok()) return named.status();
  for (int row = 0; row < count; ++row) {
    Fill(TaskRow(*rows, row, 1), named->tasks.at(static_cast<std::size_t>(row)), *named, around,
         *response.add_tasks());
  }
  if (rows->rows() > *limit) {
    response.set_next_page_token(
        WritePageToken(fingerprint, {.number = rows->Int8(*limit - 1, 0)}));
  }
  return absl::OkStatus();
}

absl::Status ReadTask(pg::Connection& connection, const Surroundings& around, const Uuid& task_id,
                      v1::Task& task) {
  pg::Params params;
  params.Id(task_id);
  const auto rows = connection.Query(kGet, params);
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return Unknown("TASK_UNKNOWN", "task", task_id, "task_id");
  const auto named = ReadNamed(connection, *rows, 1, 0);
  if (!named.ok()) return named.status();
  Fill(TaskRow(*rows, 0, 0), named->tasks.at(0), *named, around, task);
  return absl::OkStatus();
}

absl::Status ListSessions(pg::Connection& connection, const Surroundings& around,
                          const v1::ListLettaSessionsRequest& request,
                          v1::ListLettaSessionsResponse& response) {
  pg::Params params;
  absl::Status status =
      FirstError({AddSessionStatus(request.status(), params),
                  AddText("agent_type", request.has_agent_type(), request.agent_type(), params),
                  AddId("workflow_id", request.has_workflow_id(), request.workflow_id(), params),
                  AddId("task_id", request.has_task_id(), request.task_id(), params)});
  if (!status.ok()) return status;
  const auto limit = ReadLimit(request.has_limit(), request.limit());
  if (!limit.ok()) return limit.status();
  const std::string fingerprint = StrCat("sessions|", request.status(), "|", request.agent_type(),
                                         "|", request.workflow_id(), "|", request.task_id());
  const auto token = ReadPageToken(fingerprint, request.page_token());
  if (!token.ok()) return token.status();
  if (*token) {
    params.Id((*token)->id);
  } else {
    params.Null();
  }
  params.Int8(*limit + 1);
  const auto rows = connection.Query(kListSessions, params);
  if (!rows.ok()) return rows.status();
  const int count = std::min(rows->rows(), *limit);
  const auto named = ReadNamed(connection, *rows, count, 2);
  if (!named.ok()) return named.status();
  for (int row = 0; row < count; ++row) {
    FillSession(*rows, row, *named, around, *response.add_sessions());
  }
  if (rows->rows() > *limit) {
    response.set_next_page_token(WritePageToken(fingerprint, {.id = rows->Id(*limit - 1, 0)}));
  }
  return absl::OkStatus();
}

absl::Status ReadSession(pg::Connection& connection, const Surroundings& around, const Uuid& id,
                         v1::LettaSession& session) {
  pg::Params params;
  params.Id(id);
  const auto rows = connection.Query(kGetSession, params);
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return Unknown("SESSION_UNKNOWN", "session", id, "session_id");
  const auto named = ReadNamed(connection, *rows, 1, 2);
  if (!named.ok()) return named.status();
  FillSession(*rows, 0, *named, around, session);
  return absl::OkStatus();
}

absl::StatusOr<Uuid> TaskNamed(pg::Connection& connection, const Uuid& id) {
  pg::Params params;
  params.Id(id);
  const auto rows = connection.Query(kNamed, params);
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return Unknown("SESSION_UNKNOWN", "session", id, "session_id");
  return rows->Id(0, 0);
}

}  // namespace god33::letta
