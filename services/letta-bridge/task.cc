#include "services/letta-bridge/task.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "json/text.h"
#include "json/value.h"
#include "json/write.h"
#include "services/letta-bridge/request.h"

namespace god33::letta {
namespace {

constexpr std::array<std::pair<TaskStatus, std::string_view>, 8> kNames = {{
    {TaskStatus::kWaiting, "waiting"},
    {TaskStatus::kActive, "active"},
    {TaskStatus::kPaused, "paused"},
    {TaskStatus::kRecovering, "recovering"},
    {TaskStatus::kCompleted, "completed"},
    {TaskStatus::kBlocked, "blocked"},
    {TaskStatus::kRejected, "rejected"},
    {TaskStatus::kCancelled, "cancelled"},
}};

// Reads fields of a JSON object; one that is absent or of another kind is empty.
class Fields {
 public:
  explicit Fields(std::string_view json) : value_(json::Value::Checked(json)) {}
  explicit Fields(const json::Value& value) : value_(value) {}

  std::string Text(std::string_view key) const {
    const auto value = value_.Find(key);
    return value && value->is_string() ? value->ToString() : std::string();
  }
  std::optional<Uuid> Id(std::string_view key) const { return Uuid::Parse(Text(key)); }
  std::int64_t Number(std::string_view key) const {
    const auto value = value_.Find(key);
    if (!value || value->kind() != json::Kind::kNumber) return 0;
    return value->ToInt64().value_or(0);
  }
  std::optional<Fields> Object(std::string_view key) const {
    const auto value = value_.Find(key);
    return value && value->is_object() ? std::optional<Fields>(Fields(*value)) : std::nullopt;
  }
  std::string Json(std::string_view key) const {
    const auto value = value_.Find(key);
    return value && value->is_object() ? std::string(value->text()) : std::string();
  }

 private:
  json::Value value_;
};

void SetStatus(Task& task, TaskStatus status, std::string reason = {}) {
  task.status = status;
  task.reason = std::move(reason);
}

bool IsAbout(const Fields& payload, const Task& task) {
  return task.session_id.has_value() && payload.Id("session_id") == task.session_id;
}

// Whether the event is about the newest session, and the task in a state in which it can happen.
bool IsIn(std::initializer_list<TaskStatus> statuses, const Fields& payload, const Task& task) {
  return IsAbout(payload, task) &&
         std::find(statuses.begin(), statuses.end(), task.status) != statuses.end();
}

void ReadLetta(const Fields& payload, Task& task) {
  const auto letta = payload.Object("letta");
  if (!letta) return;
  task.agent_id = letta->Text("agent_id");
  task.conversation_id = letta->Text("conversation_id");
}

void FoldRequested(const TaskEvent& event, Task& task) {
  task.id = event.id;
  const auto request = ReadRequest(event.payload, {});
  if (request.ok()) {
    task.request = *request;
  } else {
    // What is left of it names the one who is told of the rejection.
    const Fields payload(event.payload);
    task.request = {.workflow_id = payload.Id("workflow_id").value_or(Uuid()),
                    .from_agent = json::CleanText(payload.Text("from_agent")),
                    .to_agent = json::CleanText(payload.Text("to_agent"))};
  }
  SetStatus(task, TaskStatus::kWaiting);
}

void FoldAccepted(const TaskEvent& event, const Fields& payload, Task& task) {
  if (task.status != TaskStatus::kWaiting) return;
  task.session_id = payload.Id("session_id");
  task.instance_id = payload.Text("agent_instance_id");
  task.accepted = event.id;
  task.going = event.id;
  ReadLetta(payload, task);
  SetStatus(task, TaskStatus::kActive);
}

void FoldCheckpoint(const TaskEvent& event, const Fields& payload, Task& task) {
  if (!IsAbout(payload, task) || IsOver(task.status)) return;
  Checkpoint checkpoint{.id = payload.Text("checkpoint_id"),
                        .event_id = event.id,
                        .sequence = payload.Number("sequence"),
                        .memory_digest = payload.Text("memory_digest")};
  if (const auto letta = payload.Object("letta")) {
    checkpoint.conversation_id = letta->Text("conversation_id");
    checkpoint.message_id = letta->Text("last_message_id");
    checkpoint.message_count = letta->Number("message_count");
  }
  task.checkpoint = std::move(checkpoint);
  task.recoveries = 0;
  task.answer.clear();
}

void FoldSettled(const TaskEvent& event, const Fields& payload, std::string answer, Task& task) {
  if (!task.question || task.question->settled_by) return;
  const Uuid& asked = task.question->request_id;
  const bool is_parent =
      std::find(event.parents.begin(), event.parents.end(), asked) != event.parents.end();
  if (!is_parent && payload.Id("request_id") != asked) return;
  task.question->settled_by = event.id;
  task.question->answer = std::move(answer);
}

void FoldRecoveryStarted(const TaskEvent& event, const Fields& payload, Task& task) {
  const auto session = payload.Id("new_session_id");
  if (task.status != TaskStatus::kRecovering || !IsAbout(payload, task) || !session) return;
  task.session_id = session;
  task.recovery_started = event.id;
  task.recovered_from = task.checkpoint;
  ++task.recoveries;
}

void WriteCheckpoint(json::Writer& writer, std::string_view key, const Checkpoint& checkpoint) {
  writer.Key(key);
  writer.BeginObject();
  writer.Key("id");
  writer.String(checkpoint.id);
  writer.Key("event_id");
  writer.String(checkpoint.event_id.ToString());
  writer.Key("sequence");
  writer.Int(checkpoint.sequence);
  writer.Key("conversation_id");
  writer.String(checkpoint.conversation_id);
  writer.Key("message_id");
  writer.String(checkpoint.message_id);
  writer.Key("message_count");
  writer.Int(checkpoint.message_count);
  writer.Key("memory_digest");
  writer.String(checkpoint.memory_digest);
  writer.EndObject();
}

std::optional<Checkpoint> ReadCheckpoint(const Fields& state, std::string_view key) {
  const auto fields = state.Object(key);
  if (!fields) return std::nullopt;
  return Checkpoint{.id = fields->Text("id"),
                    .event_id = fields->Id("event_id").value_or(Uuid()),
                    .sequence = fields->Number("sequence"),
                    .conversation_id = fields->Text("conversation_id"),
                    .message_id = fields->Text("message_id"),
                    .message_count = fields->Number("message_count"),
                    .memory_digest = fields->Text("memory_digest")};
}

// Writes what isn't empty: most tasks have few of these.
class StateWriter {
 public:
  explicit StateWriter(std::string& out) : writer_(out) {}

  json::Writer& raw() { return writer_; }
  void Text(std::string_view key, std::string_view text) {
    if (text.empty()) return;
    writer_.Key(key);
    writer_.String(text);
  }
  void Id(std::string_view key, const std::optional<Uuid>& id) {
    if (id) Text(key, id->ToString());
  }
  void Number(std::string_view key, std::int64_t number) {
    if (number == 0) return;
    writer_.Key(key);
    writer_.Int(number);
  }

 private:
  json::Writer writer_;
};

void WriteRequest(StateWriter& out, const Request& request) {
  out.raw().Key("request");
  out.raw().BeginObject();
  out.Text("workflow_id", request.workflow_id.ToString());
  out.Text("from_agent", request.from_agent);
  out.Text("to_agent", request.to_agent);
  out.Text("task_type", request.task_type);
  out.Text("description", request.description);
  if (!request.context.empty()) {
    out.raw().Key("context");
    out.raw().Raw(request.context);
  }
  if (request.deadline) out.Text("deadline", FormatTimestamp(*request.deadline));
  out.Number("priority", request.priority);
  out.Text("idempotency_key", request.idempotency_key);
  out.Text("agent_id", request.agent_id);
  out.raw().EndObject();
}

Request ReadRequestState(const Fields& fields) {
  Request request{.workflow_id = fields.Id("workflow_id").value_or(Uuid()),
                  .from_agent = fields.Text("from_agent"),
                  .to_agent = fields.Text("to_agent"),
                  .task_type = fields.Text("task_type"),
                  .description = fields.Text("description"),
                  .context = fields.Json("context"),
                  .priority = static_cast<int>(fields.Number("priority")),
                  .idempotency_key = fields.Text("idempotency_key"),
                  .agent_id = fields.Text("agent_id")};
  if (const auto deadline = ParseTimestamp(fields.Text("deadline")); deadline.ok()) {
    request.deadline = *deadline;
  }
  return request;
}

}  // namespace

std::string_view NameOf(TaskStatus status) {
  for (const auto& [value, name] : kNames) {
    if (value == status) return name;
  }
  return {};
}

std::optional<TaskStatus> TaskStatusNamed(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

bool IsOver(TaskStatus status) {
  return status == TaskStatus::kCompleted || status == TaskStatus::kBlocked ||
         status == TaskStatus::kRejected || status == TaskStatus::kCancelled;
}

std::string AnswerIn(std::string_view payload) {
  const Fields fields(payload);
  std::string answer = fields.Text("decision");
  if (answer.empty()) answer = fields.Text("response");
  if (const std::string why = fields.Text("rationale"); !why.empty()) {
    StrAppend(&answer, answer.empty() ? "" : "\n", "Rationale: ", why);
  }
  return answer;
}

void Apply(const TaskEvent& event, Task& task) {
  const Fields payload(event.payload);
  const std::string_view type = event.type;
  ++task.version;
  if (type == "bmad.workflow.handoff.requested" || type == "agent.handoff.requested") {
    // Its own request is the first event of a task; those that its agent makes later are others' tasks.
    if (task.version == 1) FoldRequested(event, task);
  } else if (IsOver(task.status)) {
    return;
  } else if (type == "agent.handoff.accepted") {
    FoldAccepted(event, payload, task);
  } else if (type == "agent.handoff.rejected") {
    if (task.status != TaskStatus::kWaiting) return;
    SetStatus(task, TaskStatus::kRejected, payload.Text("reason"));
  } else if (type == "agent.letta.checkpoint.saved") {
    FoldCheckpoint(event, payload, task);
  } else if (type == "agent.feedback.requested") {
    if (!IsIn({TaskStatus::kActive}, payload, task) || task.question) return;
    task.question = Question{.request_id = event.id};
  } else if (type == "agent.feedback.response") {
    FoldSettled(event, payload, AnswerIn(event.payload), task);
  } else if (type == "agent.feedback.timed_out") {
    FoldSettled(event, payload, payload.Text("decision"), task);
  } else if (type == "agent.feedback.withdrawn") {
    FoldSettled(event, payload, {}, task);
  } else if (type == "agent.letta.session.paused") {
    if (!IsIn({TaskStatus::kActive, TaskStatus::kRecovering}, payload, task)) return;
    SetStatus(task, TaskStatus::kPaused, payload.Text("reason"));
  } else if (type == "agent.letta.session.resumed") {
    if (!IsIn({TaskStatus::kPaused}, payload, task)) return;
    if (task.question) task.answer = task.question->answer;
    task.question.reset();
    ReadLetta(payload, task);
    SetStatus(task, TaskStatus::kActive);
  } else if (type == "agent.letta.session.failed") {
    if (!IsIn({TaskStatus::kActive, TaskStatus::kRecovering}, payload, task)) return;
    task.failed = event.id;
    SetStatus(task, TaskStatus::kRecovering, payload.Text("failure_reason"));
  } else if (type == "agent.letta.session.recovery.started") {
    FoldRecoveryStarted(event, payload, task);
  } else if (type == "agent.letta.context.restored") {
    if (!IsIn({TaskStatus::kRecovering}, payload, task)) return;
    task.context_restored = event.id;
    ReadLetta(payload, task);
  } else if (type == "agent.letta.task.resumed") {
    if (!IsIn({TaskStatus::kRecovering}, payload, task)) return;
    task.going = event.id;
    SetStatus(task, TaskStatus::kActive);
  } else if (type == "agent.letta.task.completed") {
    if (IsAbout(payload, task)) SetStatus(task, TaskStatus::kCompleted);
  } else if (type == "agent.letta.task.blocked") {
    if (IsAbout(payload, task)) SetStatus(task, TaskStatus::kBlocked, payload.Text("reason"));
  } else if (type == "agent.letta.task.cancelled") {
    SetStatus(task, TaskStatus::kCancelled, payload.Text("reason"));
  }
}

std::string WriteState(const Task& task) {
  std::string text;
  StateWriter out(text);
  out.raw().BeginObject();
  out.Text("task_id", task.id.ToString());
  WriteRequest(out, task.request);
  out.Text("status", NameOf(task.status));
  out.Text("reason", task.reason);
  out.Id("session_id", task.session_id);
  out.Text("instance_id", task.instance_id);
  out.Text("agent_id", task.agent_id);
  out.Text("conversation_id", task.conversation_id);
  out.Id("accepted", task.accepted);
  out.Id("going", task.going);
  out.Id("failed", task.failed);
  out.Id("recovery_started", task.recovery_started);
  out.Id("context_restored", task.context_restored);
  if (task.recovered_from) WriteCheckpoint(out.raw(), "recovered_from", *task.recovered_from);
  if (task.checkpoint) WriteCheckpoint(out.raw(), "checkpoint", *task.checkpoint);
  if (task.question) {
    out.raw().Key("question");
    out.raw().BeginObject();
    out.Text("request_id", task.question->request_id.ToString());
    out.Id("settled_by", task.question->settled_by);
    out.Text("answer", task.question->answer);
    out.raw().EndObject();
  }
  out.Text("answer", task.answer);
  out.Number("recoveries", task.recoveries);
  out.Number("version", task.version);
  out.raw().EndObject();
  return text;
}

absl::StatusOr<Task> ReadState(std::string_view json) {
  const auto value = json::Value::Parse(json);
  if (!value.ok()) return value.status();
  if (!value->is_object()) return InvalidArgument("a task's state is an object");
  const Fields state(*value);
  const auto id = state.Id("task_id");
  const auto status = TaskStatusNamed(state.Text("status"));
  const auto request = state.Object("request");
  if (!id || !status || !request) {
    return InvalidArgument("a task's state needs task_id, request and status");
  }
  Task task{.id = *id,
            .request = ReadRequestState(*request),
            .status = *status,
            .reason = state.Text("reason"),
            .session_id = state.Id("session_id"),
            .instance_id = state.Text("instance_id"),
            .agent_id = state.Text("agent_id"),
            .conversation_id = state.Text("conversation_id"),
            .accepted = state.Id("accepted"),
            .going = state.Id("going"),
            .failed = state.Id("failed"),
            .recovery_started = state.Id("recovery_started"),
            .context_restored = state.Id("context_restored"),
            .recovered_from = ReadCheckpoint(state, "recovered_from"),
            .checkpoint = ReadCheckpoint(state, "checkpoint"),
            .answer = state.Text("answer"),
            .recoveries = state.Number("recoveries"),
            .version = state.Number("version")};
  if (const auto question = state.Object("question")) {
    task.question = Question{.request_id = question->Id("request_id").value_or(Uuid()),
                             .settled_by = question->Id("settled_by"),
                             .answer = question->Text("answer")};
  }
  return task;
}

}  // namespace god33::letta
