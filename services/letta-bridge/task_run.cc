#include "services/letta-bridge/task_run.h"

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/error.h"
#include "base/strings.h"
#include "json/text.h"
#include "json/value.h"
#include "json/write.h"
#include "services/letta-bridge/prompts.h"
#include "services/letta-bridge/task_store.h"
#include "services/letta-bridge/tool_journal.h"
#include "telemetry/log.h"

namespace god33::letta {
namespace {

constexpr absl::Duration kTick = absl::Seconds(1);

// How long Letta may be away before the session counts as failed.
constexpr absl::Duration kMostAway = absl::Seconds(10);

constexpr int kMostPlainEnds = 3;
constexpr int kMostFailures = 3;
constexpr int kMessagesLookedAt = 50;

std::string TextOf(const json::Value& object, std::string_view key) {
  const auto value = object.Find(key);
  return value && value->is_string() ? json::CleanText(value->ToString()) : std::string();
}

std::vector<std::string> TextsOf(const json::Value& object, std::string_view key) {
  std::vector<std::string> texts;
  const auto value = object.Find(key);
  if (!value || value->kind() != json::Kind::kArray) return texts;
  for (const json::Value element : value->elements()) {
    if (element.is_string()) texts.push_back(json::CleanText(element.ToString()));
  }
  return texts;
}

std::string JsonOf(const json::Value& object, std::string_view key, json::Kind kind) {
  const auto value = object.Find(key);
  return value && value->kind() == kind ? std::string(value->text()) : std::string();
}

ToolResult Missing(std::string_view field) {
  return {.text = StrCat(field, ": expected a text"), .is_error = true};
}

std::string SpecJson(const AgentSpec& spec) {
  std::string text;
  json::Writer writer(text);
  writer.BeginObject();
  writer.Key("name");
  writer.String(spec.name);
  writer.Key("model");
  writer.String(spec.model);
  writer.EndObject();
  return text;
}

bool IsLost(const absl::Status& status) {
  return ReasonOf(status) == "LEASE_LOST";
}

absl::Status Failure(std::string_view reason, std::string_view detail) {
  return MakeError(absl::StatusCode::kUnavailable, reason, detail);
}

// What failure_reason says in the event: a stable word.
std::string FailureReason(const absl::Status& why) {
  const std::string reason = ReasonOf(why);
  if (reason == "LETTA_UNAVAILABLE") return "connection_lost";
  if (reason == "LETTA_SILENT") return "connection_timeout";
  std::string word;
  for (const char c : reason) word.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  return word;
}

}  // namespace

TaskRun::TaskRun(Parts parts, Lease lease, Task task, PooledAgent agent)
    : parts_(parts),
      id_(task.id),
      held_(std::move(lease), std::move(task), parts.pool, parts.factory, parts.ids, stop_),
      agent_(std::move(agent)),
      begun_at_(parts.clock.Now()),
      checkpoint_at_(begun_at_),
      last_activity_(begun_at_) {}

absl::Status TaskRun::Run() {
  absl::Status status = Work();
  {
    absl::MutexLock lock(&mutex_);
    attached_ = nullptr;
  }
  conversation_.reset();
  if (lease_lost_ || IsLost(status)) {
    parts_.metrics.leases_lost.Increment();
    return MakeError(absl::StatusCode::kAborted, "LEASE_LOST", "another bridge has the task");
  }
  if (!status.ok() && !stopping_) {
    if (absl::Status ended = End(status); !ended.ok()) status = ended;
  }
  const absl::Status released = held_.Write(
      [this](pg::Connection& connection) { return ReleaseLease(connection, held_.lease()); });
  if (task_over_ && released.ok()) GiveBackAgent();
  return status;
}

void TaskRun::Give(const Order& order) {
  absl::MutexLock lock(&mutex_);
  for (const Order& known : orders_) {
    if (known.kind == order.kind) return;
  }
  orders_.push_back(order);
  if (attached_ != nullptr) attached_->Wake();
}

void TaskRun::LoseLease() {
  lease_lost_ = true;
  stop_.Request();
  absl::MutexLock lock(&mutex_);
  if (attached_ != nullptr) attached_->Wake();
}

void TaskRun::Halt() {
  stopping_ = true;
  stop_.Request();
  absl::MutexLock lock(&mutex_);
  if (attached_ != nullptr) attached_->Wake();
}

absl::Status TaskRun::CheckInterrupts() {
  if (lease_lost_) {
    return MakeError(absl::StatusCode::kAborted, "LEASE_LOST", "another bridge has the task");
  }
  if (stopping_) return absl::CancelledError("the bridge stops");
  return absl::OkStatus();
}

std::optional<Order> TaskRun::TakeOrder() {
  absl::MutexLock lock(&mutex_);
  if (orders_.empty()) return std::nullopt;
  Order order = std::move(orders_.front());
  orders_.erase(orders_.begin());
  return order;
}

absl::Status TaskRun::Work() {
  auto directory =
      DirectoryOf(parts_.settings.workspace, held_.task().request.context, id_.ToString());
  if (!directory.ok()) {
    task_over_ = true;
    return held_.Step([&](pg::Connection& connection, TaskEvents& events) {
      const std::string reason = ReasonOf(directory.status());
      if (events.task().status == TaskStatus::kWaiting) {
        events.Reject(reason, MessageOf(directory.status()));
      } else {
        events.Block(reason, MessageOf(directory.status()));
      }
      return ReturnAgent(connection, id_);
    });
  }
  workspace_.emplace(*std::move(directory), parts_.settings.commands);
  if (absl::Status status = Begin(); !status.ok()) return status;
  while (!done_) {
    if (absl::Status status = CheckInterrupts(); !status.ok()) return status;
    if (absl::Status status = Turn(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// ---- Beginning.

absl::Status TaskRun::Begin() {
  switch (held_.task().status) {
    case TaskStatus::kWaiting:
      return BeginFresh();
    case TaskStatus::kPaused:
      return BeginPaused();
    default:
      return BeginRecovery();
  }
}

absl::Status TaskRun::BeginFresh() {
  std::vector<MemoryFile> memory = MemoryFor(held_.task());
  if (agent_.own) {
    // Its maker gave it a memory of its own, of which only the task is ours.
    auto own = parts_.backend.ReadMemory(agent_.agent_id);
    if (!own.ok()) return own.status();
    const MemoryFile task = memory.back();
    memory = std::move(own->files);
    std::erase_if(memory, [&task](const MemoryFile& file) { return file.path == task.path; });
    memory.push_back(task);
  }
  absl::Status status = EnsureAgent(memory);
  if (status.ok()) status = Attach("");
  if (!status.ok()) return status;
  auto record = TakeRecord("initial");
  if (!record.ok()) return record.status();
  const TaskEvents::Session session{.id = parts_.ids.New(),
                                    .instance_id = agent_.instance_id,
                                    .agent_id = agent_.agent_id,
                                    .conversation_id = conversation_->id()};
  status = held_.Step([&](pg::Connection& connection, TaskEvents& events) -> absl::Status {
    const auto digest = KeepMemory(connection, record_memory_);
    if (!digest.ok()) return digest.status();
    record->memory_digest = *digest;
    events.Accept(session, record->id);
    events.SaveCheckpoint(*record);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  parts_.metrics.checkpoints.Increment();
  parts_.metrics.accept_seconds.Observe(absl::ToDoubleSeconds(parts_.clock.Now() - begun_at_));
  return Send(TaskInput(held_.task()));
}

absl::Status TaskRun::BeginPaused() {
  bool agent_is_new = false;
  const std::optional<Checkpoint> checkpoint = held_.task().checkpoint;
  if (!checkpoint) return Failure("NO_CHECKPOINT", "a paused task has no checkpoint");
  const auto conversation = Restore(*checkpoint, agent_is_new);
  if (!conversation.ok()) return conversation.status();
  absl::Status status = Attach(*conversation);
  if (!status.ok()) return status;
  const bool had_question = held_.task().question.has_value();
  status = held_.Step([&](pg::Connection& connection, TaskEvents& events) -> absl::Status {
    events.Resume(conversation_->id());
    return ClearOrder(connection, id_, Order::Kind::kResume);
  });
  if (!status.ok()) return status;
  if (agent_is_new || checkpoint->message_id.empty()) return Send(TaskInput(held_.task()));
  return Send(had_question ? AnswerInput(held_.task()) : GoOnInput());
}

absl::Status TaskRun::BeginRecovery() {
  const Uuid new_session = parts_.ids.New();
  absl::Status status = held_.Step([&](pg::Connection&, TaskEvents& events) {
    if (events.task().status == TaskStatus::kActive) {
      events.FailSession("holder_lost", "the bridge that worked on it gave no sign of life");
    }
    events.StartRecovery(new_session, held_.lease().epoch);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  parts_.metrics.recoveries.Increment();
  status = AbortOldTurn();
  if (!status.ok()) return status;

  const std::optional<Checkpoint> checkpoint = held_.task().recovered_from;
  if (!checkpoint) return Failure("NO_CHECKPOINT", "an accepted task has no checkpoint");
  bool agent_is_new = false;
  const std::int64_t messages_before = checkpoint->message_count;
  const auto conversation = Restore(*checkpoint, agent_is_new);
  if (!conversation.ok()) return conversation.status();
  status = Attach(*conversation);
  if (!status.ok()) return status;
  messages_ = messages_at_checkpoint_ = messages_before;
  const WorktreeState worktree = workspace_->Look();
  std::string delta;
  json::Writer writer(delta);
  writer.BeginObject();
  writer.Key("messages_kept");
  writer.Int(agent_is_new ? 0 : messages_before);
  writer.Key("agent_is_new");
  writer.Bool(agent_is_new);
  writer.Key("worktree_head");
  writer.String(worktree.head);
  writer.Key("worktree_diff_sha256");
  writer.String(worktree.diff_sha256);
  writer.EndObject();
  status = held_.Step([&](pg::Connection&, TaskEvents& events) {
    events.RestoreContext(agent_.agent_id, conversation_->id(), delta);
    events.ResumeTask();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  const Task& task = held_.task();
  if (agent_is_new || checkpoint->message_id.empty()) {
    return Send(StrCat(TaskInput(task), "\n", RecoveredInput(task)));
  }
  return Send(RecoveredInput(task));
}

// The turn of the holder before must do nothing any more. Where there is no such conversation, none runs.
absl::Status TaskRun::AbortOldTurn() {
  const Task& task = held_.task();
  if (task.conversation_id.empty()) return absl::OkStatus();
  auto old = parts_.backend.Open({.agent_id = task.agent_id,
                                  .conversation_id = task.conversation_id,
                                  .directory = workspace_->directory().string()});
  if (absl::IsNotFound(old.status())) return absl::OkStatus();
  if (!old.ok()) return old.status();
  return (*old)->running() ? (*old)->Abort() : absl::OkStatus();
}

// Makes the agent's memory, and a conversation of its own for this epoch, what they were at the checkpoint. If
// Letta says that it has lost the agent or the conversation, a new one begins from the memory alone.
absl::StatusOr<std::string> TaskRun::Restore(const Checkpoint& checkpoint, bool& agent_is_new) {
  std::vector<MemoryFile> memory;
  absl::Status status = held_.Write([&](pg::Connection& connection) -> absl::Status {
    auto files = ReadMemoryOf(connection, checkpoint.memory_digest);
    if (!files.ok()) return files.status();
    memory = *std::move(files);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;

  const std::string agent_before = agent_.agent_id;
  status = EnsureAgent(memory);
  if (!status.ok()) return status;
  agent_is_new = agent_.agent_id != agent_before;
  if (agent_is_new || checkpoint.message_id.empty()) return std::string();
  auto forked = parts_.backend.Fork(checkpoint.conversation_id, checkpoint.message_id);
  if (absl::IsNotFound(forked.status())) {
    agent_is_new = true;
    return std::string();
  }
  return forked;
}

// Has an agent with this memory: the one of the pool, or a new one if it is yet to be made, or if Letta itself says
// that it is no more.
absl::Status TaskRun::EnsureAgent(const std::vector<MemoryFile>& memory) {
  if (!agent_.agent_id.empty()) {
    const auto written = parts_.backend.WriteMemory(agent_.agent_id, memory);
    if (written.ok() || !absl::IsNotFound(written.status())) return written.status();
    Log(LogLevel::kWarning, "Letta knows an agent no more; making it anew",
        {{"agent", agent_.instance_id}, {"letta_agent", agent_.agent_id}});
  }
  const AgentSpec spec{.name = agent_.instance_id,
                       .system_prompt = SystemPrompt(agent_.agent_type),
                       .model = parts_.settings.model,
                       .tags = {"god33", StrCat("type:", agent_.agent_type)},
                       .memory = memory};
  auto made = parts_.backend.CreateAgent(spec);
  if (!made.ok()) return made.status();
  agent_.agent_id = *std::move(made);
  return held_.Write([&](pg::Connection& connection) {
    return KeepAgent(connection, agent_, agent_.agent_id, SpecJson(spec));
  });
}

absl::Status TaskRun::Attach(const std::string& conversation_id) {
  auto opened = parts_.backend.Open({.agent_id = agent_.agent_id,
                                     .conversation_id = conversation_id,
                                     .directory = workspace_->directory().string(),
                                     .tools = ToolSpecs(parts_.settings.commands)});
  if (!opened.ok()) return opened.status();
  conversation_ = *std::move(opened);
  last_activity_ = parts_.clock.Now();
  absl::MutexLock lock(&mutex_);
  attached_ = conversation_.get();
  return absl::OkStatus();
}

// After a loss of the connection: Letta may have gone on, or have gone down with the turn.
absl::Status TaskRun::Reattach() {
  const std::string id = conversation_->id();
  const bool call_was_open = !open_calls_.empty();
  const std::string marker =
      StrCat("god33/", id_.ToString(), "/", held_.lease().epoch, "/", inputs_);
  {
    absl::MutexLock lock(&mutex_);
    attached_ = nullptr;
  }
  conversation_.reset();
  const absl::Time give_up = parts_.clock.Now() + kMostAway;
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(1), RandomFraction);
  while (true) {
    absl::Status status = Attach(id);
    if (status.ok()) break;
    if (absl::IsNotFound(status)) return Failure("CONVERSATION_LOST", MessageOf(status));
    if (parts_.clock.Now() >= give_up) return status;
    stop_.WaitFor(backoff.Next());
    if (absl::Status interrupted = CheckInterrupts(); !interrupted.ok()) return interrupted;
  }
  open_calls_.clear();
  // Letta forgets whom it asked for a result when that one's connection goes.
  if (call_was_open) return Failure("TURN_LOST", "the connection was lost during a call of a tool");
  if (conversation_->running()) return absl::OkStatus();

  const auto messages = parts_.backend.Messages(id, kMessagesLookedAt);
  if (!messages.ok()) return messages.status();
  const bool arrived = std::any_of(messages->begin(), messages->end(), [&](const Message& message) {
    return message.marker == marker;
  });
  if (!arrived) return conversation_->Send(marker, last_input_);
  if (!messages->empty() && messages->back().kind == Message::Kind::kAnswer) {
    // The turn ended while nobody listened; what its tools said is known.
    return Border({});
  }
  return Failure("LETTA_CRASHED", "Letta was gone in the middle of a turn");
}

// ---- Turns.

absl::Status TaskRun::Send(const std::string& text) {
  ++inputs_;
  ++messages_;
  last_input_ = text;
  last_activity_ = parts_.clock.Now();
  absl::Status status = conversation_->Send(
      StrCat("god33/", id_.ToString(), "/", held_.lease().epoch, "/", inputs_), text);
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ? Reattach() : status;
}

absl::Status TaskRun::Turn() {
  auto event = conversation_->Next(kTick);
  if (absl::IsUnavailable(event.status()) || absl::IsResourceExhausted(event.status())) {
    return Reattach();
  }
  if (!event.ok()) return event.status();
  if (absl::Status status = CheckInterrupts(); !status.ok()) return status;
  if (std::holds_alternative<Nothing>(*event)) {
    if (parts_.clock.Now() - last_activity_ <= parts_.settings.stall) return CutIfWanted(false);
    return Failure("STALLED", StrCat("nothing was heard of the agent for ",
                                     absl::ToInt64Seconds(parts_.settings.stall), " s"));
  }

  last_activity_ = parts_.clock.Now();
  if (const auto* call = std::get_if<ToolCall>(&*event)) {
    open_calls_.insert(call->call_id);
    absl::Status status = HandleCall(*call);
    last_activity_ = parts_.clock.Now();
    return absl::IsUnavailable(status) ? Reattach() : status;
  }
  if (const auto* finished = std::get_if<TurnFinished>(&*event)) {
    tokens_ += finished->tokens;
    return Border(*finished);
  }
  const Message& message = std::get<MessageSeen>(*event).message;
  ++messages_;
  if (message.kind == Message::Kind::kAnswer) last_answer_ = message.text;
  const bool is_result = message.kind == Message::Kind::kToolResult;
  if (is_result) open_calls_.erase(message.tool_call_id);
  return CutIfWanted(is_result);
}

// Ends the turn early for a checkpoint that is due or an order. `results_are_in`: a tool's result has just become
// part of the conversation, which can go on from there.
absl::Status TaskRun::CutIfWanted(bool results_are_in) {
  if (!open_calls_.empty()) return absl::OkStatus();
  bool wanted = results_are_in && CheckpointDue();
  {
    absl::MutexLock lock(&mutex_);
    for (const Order& order : orders_) {
      wanted = wanted || results_are_in || order.kind != Order::Kind::kCheckpoint;
    }
  }
  if (!wanted) return absl::OkStatus();
  if (absl::Status status = conversation_->Abort(); !status.ok()) return Reattach();
  return Border({.why = TurnFinished::Why::kAborted});
}

bool TaskRun::CheckpointDue() const {
  return messages_ - messages_at_checkpoint_ >= parts_.settings.checkpoint_messages ||
         parts_.clock.Now() - checkpoint_at_ >= parts_.settings.checkpoint_time;
}

absl::Status TaskRun::Border(const TurnFinished& finished) {
  open_calls_.clear();
  if (absl::Status status = ObeyOrders(); !status.ok() || done_) return status;
  const Outcome outcome = std::exchange(outcome_, {});
  const auto hand_over = [&outcome](TaskEvents& events) {
    for (const auto& handoff : outcome.handoffs) {
      events.HandOver(handoff.to_agent, handoff.description, handoff.context);
    }
  };
  if (outcome.completion) {
    parts_.metrics.tasks_completed.Increment();
    return EndTask(outcome.handoffs.empty() ? "milestone" : "pre-handoff", [&](TaskEvents& events) {
      hand_over(events);
      events.Complete(*outcome.completion);
    });
  }
  if (outcome.blocked) {
    parts_.metrics.tasks_blocked.Increment();
    return EndTask("progress", [&](TaskEvents& events) {
      hand_over(events);
      events.Block(outcome.blocked->first, outcome.blocked->second);
    });
  }
  if (!outcome.handoffs.empty()) {
    if (absl::Status status = SaveCheckpoint("pre-handoff", hand_over); !status.ok()) return status;
  }
  if (outcome.asked) return Ask(outcome);
  if (outcome.handoffs.empty()) return GoOn(finished);
  std::vector<std::string> agents;
  for (const auto& handoff : outcome.handoffs) agents.push_back(handoff.to_agent);
  return Send(HandedOverInput(agents));
}

absl::Status TaskRun::ObeyOrders() {
  while (const auto order = TakeOrder()) {
    if (order->kind == Order::Kind::kCancel) {
      parts_.metrics.tasks_cancelled.Increment();
      return EndTask("on-demand",
                     [&](TaskEvents& events) { events.Cancel(order->reason, order->asked_by); });
    }
    const bool pause = order->kind == Order::Kind::kPause;
    absl::Status status = SaveCheckpoint("on-demand", [pause](TaskEvents& events) {
      if (pause) events.Pause("requested");
    });
    done_ = pause;
    if (!status.ok() || pause) return status;
  }
  return absl::OkStatus();
}

// The agent waits for the answer; nobody need hold the task until it is there.
absl::Status TaskRun::Ask(const Outcome& outcome) {
  auto record = TakeRecord("pre-feedback");
  if (!record.ok()) return record.status();
  done_ = true;
  return held_.Step([&](pg::Connection& connection, TaskEvents& events) -> absl::Status {
    const auto digest = KeepMemory(connection, record_memory_);
    if (!digest.ok()) return digest.status();
    record->memory_digest = *digest;
    events.Ask(*outcome.asked, *record);
    return absl::OkStatus();
  });
}

// The turn said nothing of the task.
absl::Status TaskRun::GoOn(const TurnFinished& finished) {
  if (finished.why == TurnFinished::Why::kFailed) {
    if (++failures_ > kMostFailures) {
      parts_.metrics.tasks_blocked.Increment();
      return EndTask("progress", [&](TaskEvents& events) {
        events.Block(StrCat("model_failed: ", finished.detail),
                     "A model that answers; then hand the task over anew");
      });
    }
    stop_.WaitFor(absl::Seconds(1 << failures_));
    if (absl::Status status = CheckInterrupts(); !status.ok()) return status;
    return Send(GoOnInput());
  }
  failures_ = 0;
  if (CheckpointDue()) {
    absl::Status status = SaveCheckpoint("progress");
    return status.ok() ? Send(GoOnInput()) : status;
  }
  if (finished.why == TurnFinished::Why::kAborted) return Send(GoOnInput());
  if (++plain_ends_ < kMostPlainEnds) return Send(NudgeInput());
  parts_.metrics.tasks_blocked.Increment();
  return EndTask("progress", [&](TaskEvents& events) {
    events.Block("no_outcome", StrCat("The agent ended its turn ", kMostPlainEnds,
                                      " times without saying how the task stands. Its last words: ",
                                      Clip(last_answer_, 500)));
  });
}

// ---- Checkpoints.

absl::StatusOr<CheckpointRecord> TaskRun::TakeRecord(const std::string& type) {
  CheckpointRecord record{.id = StrCat("letta-checkpoint-", parts_.ids.New().ToString()),
                          .type = type,
                          .agent_id = agent_.agent_id,
                          .conversation_id = conversation_->id(),
                          .message_count = messages_,
                          .progress = progress_,
                          .tokens_used = tokens_,
                          .duration = parts_.clock.Now() - begun_at_,
                          .directory = workspace_->directory().string()};
  const auto messages = parts_.backend.Messages(conversation_->id(), 1);
  if (!messages.ok()) return messages.status();
  if (!messages->empty()) record.message_id = messages->back().id;
  auto memory = parts_.backend.ReadMemory(agent_.agent_id);
  if (!memory.ok()) return memory.status();
  record.memory_commit = memory->commit;
  record_memory_ = std::move(memory->files);
  const WorktreeState worktree = workspace_->Look();
  record.worktree_head = worktree.head;
  record.worktree_digest = worktree.diff_sha256;
  return record;
}

// What goes with the events of a checkpoint: orders that are obeyed by it are done, and the agent of a task that is
// over is free.
absl::Status TaskRun::FinishStep(pg::Connection& connection, const Task& after) {
  if (IsOver(after.status)) {
    absl::Status status = ClearOrders(connection, id_);
    return status.ok() ? ReturnAgent(connection, id_) : status;
  }
  absl::Status status = ClearOrder(connection, id_, Order::Kind::kCheckpoint);
  if (!status.ok() || after.status != TaskStatus::kPaused) return status;
  return ClearOrder(connection, id_, Order::Kind::kPause);
}

// A checkpoint and what follows it, in one transaction.
absl::Status TaskRun::SaveCheckpoint(const std::string& type,
                                     const std::function<void(TaskEvents&)>& then) {
  const std::int64_t begun = MonotonicNanos();
  auto record = TakeRecord(type);
  if (!record.ok()) return record.status();
  absl::Status status =
      held_.Step([&](pg::Connection& connection, TaskEvents& events) -> absl::Status {
        const auto digest = KeepMemory(connection, record_memory_);
        if (!digest.ok()) return digest.status();
        record->memory_digest = *digest;
        events.SaveCheckpoint(*record);
        if (then) then(events);
        return FinishStep(connection, events.task());
      });
  if (!status.ok()) return status;
  checkpoint_at_ = parts_.clock.Now();
  messages_at_checkpoint_ = messages_;
  parts_.metrics.checkpoints.Increment();
  parts_.metrics.checkpoint_seconds.Observe(static_cast<double>(MonotonicNanos() - begun) / 1e9);
  return absl::OkStatus();
}

// A last checkpoint, and what became of the task.
absl::Status TaskRun::EndTask(const std::string& checkpoint_type,
                              const std::function<void(TaskEvents&)>& say) {
  if (absl::Status status = SaveCheckpoint(checkpoint_type, say); !status.ok()) return status;
  done_ = true;
  task_over_ = true;
  return absl::OkStatus();
}

// ---- Tools.

absl::Status TaskRun::HandleCall(const ToolCall& call) {
  parts_.metrics.tool_calls.Increment();
  plain_ends_ = 0;
  ToolResult result;
  if (call.name == kReadFile || call.name == kListFiles) {
    result = workspace_->Run(call);
  } else if (call.name == kWriteFile || workspace_->FindCommand(call.name) != nullptr) {
    auto ran = RunJournaled(call);
    if (!ran.ok()) return ran.status();
    result = *std::move(ran);
  } else {
    result = Note(call);
    if (call.name == kReportProgress && !result.is_error) {
      absl::Status status = held_.Step([this](pg::Connection&, TaskEvents& events) {
        events.UpdateContext(progress_, "");
        return absl::OkStatus();
      });
      if (!status.ok()) return status;
    }
  }
  return conversation_->Answer(call, result);
}

// A tool that does something: the intent is in the journal before it runs, the result before the agent has it.
absl::StatusOr<ToolResult> TaskRun::RunJournaled(const ToolCall& call) {
  JournalEntry entry;
  absl::Status status = held_.Write([&](pg::Connection& connection) -> absl::Status {
    auto begun = BeginCall(connection, held_.lease(), call);
    if (!begun.ok()) return begun.status();
    // A second try of this transaction finds what the first one wrote.
    entry.result = begun->result;
    entry.is_new = entry.is_new || begun->is_new;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  if (entry.result) return *entry.result;
  const CommandTool* command = workspace_->FindCommand(call.name);
  if (!entry.is_new && command != nullptr && !command->idempotent) {
    outcome_.asked =
        Asked{.question = StrCat("outcome_unknown: the bridge was interrupted while it ran ",
                                 call.name, ". Was it done? What shall the agent do?"),
              .context = call.arguments};
    return ToolResult{
        .text =
            "outcome_unknown: it was begun before an interruption, and nobody knows whether it was "
            "done. It was not run again. A human was asked: end your turn; the answer is the "
            "next message.",
        .is_error = true};
  }
  ToolResult result = workspace_->Run(call);
  status = held_.Write(
      [&](pg::Connection& connection) { return EndCall(connection, held_.lease(), call, result); });
  if (!status.ok()) return status;
  return result;
}

// Tools that tell the bridge something. It is done at the end of the turn, so that an interruption before it leaves
// nothing half done.
ToolResult TaskRun::Note(const ToolCall& call) {
  const json::Value arguments = json::Value::Checked(call.arguments);
  if (call.name == kReportProgress) {
    const std::string summary = TextOf(arguments, "summary");
    if (summary.empty()) return Missing("summary");
    progress_ = {.summary = summary,
                 .files_modified = TextsOf(arguments, "files_modified"),
                 .current_focus = TextOf(arguments, "current_focus"),
                 .next_steps = TextsOf(arguments, "next_steps")};
    return {.text = "noted"};
  }
  if (call.name == kAskHuman) {
    Asked asked{.question = TextOf(arguments, "question"),
                .options = TextsOf(arguments, "options"),
                .fallback = TextOf(arguments, "default")};
    if (asked.question.empty()) return Missing("question");
    if (const auto context = arguments.Find("context"); context && !context->is_null()) {
      asked.context = std::string(context->text());
    }
    const auto timeout = arguments.Find("timeout_seconds");
    if (timeout && timeout->kind() == json::Kind::kNumber) {
      const std::int64_t seconds = timeout->ToInt64().value_or(0);
      if (seconds < 1) return {.text = "timeout_seconds: expected 1 or more", .is_error = true};
      if (asked.fallback.empty()) {
        return {.text = "timeout_seconds: expected only with a default", .is_error = true};
      }
      asked.answer_by = parts_.clock.Now() + absl::Seconds(seconds);
    }
    outcome_.asked = std::move(asked);
    return {.text = "A human was asked. End your turn now: the answer is the next message."};
  }
  if (call.name == kCompleteTask) {
    Completion completion{.summary = TextOf(arguments, "summary"),
                          .artifacts = JsonOf(arguments, "artifacts", json::Kind::kArray),
                          .validation = JsonOf(arguments, "validation", json::Kind::kObject),
                          .next_action = TextOf(arguments, "next_action")};
    if (completion.summary.empty()) return Missing("summary");
    progress_.summary = completion.summary;
    outcome_.completion = std::move(completion);
    return {.text = "The task counts as done. End your turn now."};
  }
  if (call.name == kReportBlocked) {
    const std::string reason = TextOf(arguments, "reason");
    if (reason.empty()) return Missing("reason");
    outcome_.blocked = std::pair(reason, TextOf(arguments, "needs"));
    return {.text = "Noted. End your turn now."};
  }
  if (call.name == kRequestHandoff) {
    Outcome::Handoff handoff{.to_agent = TextOf(arguments, "to_agent"),
                             .description = TextOf(arguments, "task_description"),
                             .context = JsonOf(arguments, "context", json::Kind::kObject)};
    if (handoff.to_agent.empty()) return Missing("to_agent");
    if (handoff.description.empty()) return Missing("task_description");
    outcome_.handoffs.push_back(std::move(handoff));
    return {.text = "It is sent when your turn ends."};
  }
  return {.text = StrCat("there is no tool ", call.name), .is_error = true};
}

// ---- Ending.

// Says in the log why the session can't go on. A task that nobody has accepted yet just waits on.
absl::Status TaskRun::End(const absl::Status& why) {
  const Task& task = held_.task();
  if (task.status != TaskStatus::kActive && task.status != TaskStatus::kRecovering) {
    return absl::OkStatus();
  }
  const std::string reason = FailureReason(why);
  parts_.metrics.sessions_failed.Increment();
  return held_.Step([&](pg::Connection& connection, TaskEvents& events) -> absl::Status {
    if (IsOver(events.task().status)) return absl::OkStatus();
    events.FailSession(reason, MessageOf(why));
    const bool too_often = events.task().recoveries >= parts_.settings.most_recoveries;
    if (parts_.settings.recovery && !too_often) return absl::OkStatus();
    task_over_ = true;
    events.Block(too_often ? "recovery_limit" : "recovery_disabled",
                 StrCat("The session failed (", reason, "). ",
                        too_often ? "It failed again and again without a new checkpoint."
                                  : "ENABLE_CHECKPOINT_RECOVERY is off.",
                        " Hand the task over anew."));
    return ReturnAgent(connection, id_);
  });
}

// What the task left in the agent's memory goes, and it may have another task.
void TaskRun::GiveBackAgent() {
  if (agent_.agent_id.empty() || agent_.own) return;
  const auto written = parts_.backend.WriteMemory(agent_.agent_id, BlankMemory(agent_.agent_type));
  if (!written.ok()) return;  // somebody will later
  auto connection = parts_.pool.Acquire(absl::Seconds(5));
  if (connection.ok()) MakeWarm(**connection, agent_.agent_id).IgnoreError();
}

}  // namespace god33::letta
