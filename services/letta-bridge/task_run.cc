#include "services/letta-bridge/task_run.h"

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/error.h"
#include "base/failpoint.h"
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

constexpr int kMostPlainEnds = 3;
constexpr int kMostFailures = 3;

bool IsLost(const absl::Status& status) {
  return ReasonOf(status) == "LEASE_LOST";
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

absl::Status SessionFailure(std::string_view reason, std::string_view detail) {
  return MakeError(absl::StatusCode::kUnavailable, reason, detail);
}

TaskRun::TaskRun(Parts parts, Claim claim)
    : parts_(parts),
      id_(claim.task.id),
      held_(std::move(claim.lease), std::move(claim.task), parts.pool, parts.factory, parts.ids,
            stop_),
      agent_(std::move(claim.agent)),
      holder_was_lost_(claim.holder_was_lost),
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
  // That is what it was taken for.
  if (order.kind == Order::Kind::kResume) return;
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
  tools_.emplace(*std::move(directory), parts_.settings.commands, held_, parts_.clock);
  if (absl::Status status = Begin(); !status.ok()) return status;
  while (!done_) {
    if (absl::Status status = CheckInterrupts(); !status.ok()) return status;
    if (absl::Status status = Turn(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// ---- Turns.

std::string TaskRun::LastMarker() const {
  return StrCat("god33/", id_.ToString(), "/", held_.lease().epoch, "/", inputs_);
}

absl::Status TaskRun::Send(const std::string& text) {
  ++inputs_;
  ++messages_;
  last_input_ = text;
  last_activity_ = parts_.clock.Now();
  absl::Status status = conversation_->Send(LastMarker(), text);
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
    if (parts_.clock.Now() - last_activity_ <= parts_.settings.stall) return CutIfWanted();
    return SessionFailure("STALLED", StrCat("nothing was heard of the agent for ",
                                            absl::ToInt64Seconds(parts_.settings.stall), " s"));
  }

  last_activity_ = parts_.clock.Now();
  if (const auto* call = std::get_if<ToolCall>(&*event)) {
    open_calls_.insert(call->call_id);
    result_is_last_ = false;
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
  result_is_last_ = message.kind == Message::Kind::kToolResult;
  if (result_is_last_) open_calls_.erase(message.tool_call_id);
  return CutIfWanted();
}

// Ends the turn early for an order, or, behind a tool's result, for a checkpoint that is due or a call of which nobody
// knows whether it was done.
absl::Status TaskRun::CutIfWanted() {
  if (!open_calls_.empty()) return absl::OkStatus();
  bool wanted = CheckpointDue() || tools_->outcome().is_unknown;
  bool at_once = false;
  {
    absl::MutexLock lock(&mutex_);
    wanted = wanted || !orders_.empty();
    for (const Order& order : orders_) {
      at_once = at_once || order.kind != Order::Kind::kCheckpoint;
    }
  }
  return at_once || (wanted && result_is_last_) ? CutTurn(at_once) : absl::OkStatus();
}

// Cuts the turn behind its last whole message: what the agent was about to say is gone, also from the conversation,
// for which a fork takes its place if need be. Unless `at_once`, only behind a tool's result, and not before that is
// stored: the stream is ahead of the conversation.
absl::Status TaskRun::CutTurn(bool at_once) {
  const auto whole = LastWhole();
  if (!whole.ok()) return absl::IsUnavailable(whole.status()) ? Reattach() : whole.status();
  if (!at_once && whole->kind != Message::Kind::kToolResult) return absl::OkStatus();
  if (absl::Status status = conversation_->Abort(); !status.ok()) return Reattach();
  const auto newest = parts_.backend.Messages(conversation_->id(), 1);
  if (!newest.ok()) return newest.status();
  if (!newest->empty() && newest->back().id != whole->id) {
    auto forked =
        whole->id.empty() ? std::string() : parts_.backend.Fork(conversation_->id(), whole->id);
    if (!forked.ok()) return forked.status();
    if (absl::Status status = Attach(*forked); !status.ok()) return status;
  }
  return Border({.why = TurnFinished::Why::kAborted});
}

// The newest message of the conversation that isn't the call of a tool without its result; one without id if there is
// none.
absl::StatusOr<Message> TaskRun::LastWhole() {
  auto messages = parts_.backend.Messages(conversation_->id(), kMessagesLookedAt);
  if (!messages.ok()) return messages.status();
  while (!messages->empty() && messages->back().kind == Message::Kind::kToolCall) {
    messages->pop_back();
  }
  return messages->empty() ? Message() : std::move(messages->back());
}

bool TaskRun::CheckpointDue() const {
  return messages_ - messages_at_checkpoint_ >= parts_.settings.checkpoint_messages ||
         parts_.clock.Now() - checkpoint_at_ >= parts_.settings.checkpoint_time;
}

absl::Status TaskRun::Border(const TurnFinished& finished) {
  open_calls_.clear();
  result_is_last_ = false;
  if (absl::Status status = ObeyOrders(); !status.ok() || done_) return status;
  const TurnOutcome outcome = tools_->TakeOutcome();
  if (outcome.is_unknown) return Ask(outcome);
  const auto hand_over = [&outcome](TaskEvents& events) {
    for (const auto& handoff : outcome.handoffs) {
      events.HandOver(handoff.to_agent, handoff.description, handoff.context);
    }
  };
  if (outcome.completion) {
    return EndTask(outcome.handoffs.empty() ? "milestone" : "pre-handoff", [&](TaskEvents& events) {
      hand_over(events);
      events.Complete(*outcome.completion);
    });
  }
  if (outcome.blocked) {
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
absl::Status TaskRun::Ask(const TurnOutcome& outcome) {
  auto record = TakeRecord("pre-feedback");
  if (!record.ok()) return record.status();
  done_ = true;
  return held_.Step([&](pg::Connection& connection, TaskEvents& events) -> absl::Status {
    const auto digest = KeepMemory(connection, record_memory_);
    if (!digest.ok()) return digest.status();
    record->memory_digest = *digest;
    events.Ask(*outcome.asked, *record);
    return FinishStep(connection, events.task());
  });
}

// The turn said nothing of the task.
absl::Status TaskRun::GoOn(const TurnFinished& finished) {
  if (finished.why == TurnFinished::Why::kFailed) {
    if (++failures_ > kMostFailures) {
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
  return EndTask("progress", [&](TaskEvents& events) {
    events.Block("no_outcome", StrCat("The agent ended its turn ", kMostPlainEnds,
                                      " times without saying how the task stands. Its last words: ",
                                      Clip(last_answer_, 500)));
  });
}

// ---- Checkpoints.

CheckpointRecord TaskRun::NewRecord(const std::string& type) const {
  const Workspace& workspace = tools_->workspace();
  const WorktreeState worktree = workspace.Look();
  return {.id = StrCat("letta-checkpoint-", parts_.ids.New().ToString()),
          .type = type,
          .agent_id = agent_.agent_id,
          .conversation_id = conversation_->id(),
          .message_count = messages_,
          .progress = tools_->progress(),
          .tokens_used = tokens_,
          .duration = parts_.clock.Now() - begun_at_,
          .directory = workspace.directory().string(),
          .worktree_head = worktree.head,
          .worktree_digest = worktree.diff_sha256};
}

// Where the conversation and the memory are, between two turns.
absl::StatusOr<CheckpointRecord> TaskRun::TakeRecord(const std::string& type) {
  CheckpointRecord record = NewRecord(type);
  auto whole = LastWhole();
  if (!whole.ok()) return whole.status();
  record.message_id = std::move(whole->id);
  auto memory = parts_.backend.ReadMemory(agent_.agent_id);
  if (!memory.ok()) return memory.status();
  record.memory_commit = memory->commit;
  record_memory_ = std::move(memory->files);
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
  // A resumption that was asked for before the pause is not meant for it.
  status = ClearOrder(connection, id_, Order::Kind::kResume);
  return status.ok() ? ClearOrder(connection, id_, Order::Kind::kPause) : status;
}

// A checkpoint and what follows it, in one transaction.
absl::Status TaskRun::SaveCheckpoint(const std::string& type,
                                     const std::function<void(TaskEvents&)>& then) {
  const std::int64_t begun = MonotonicNanos();
  auto record = TakeRecord(type);
  if (!record.ok()) return record.status();
  failpoint::Reached("at_checkpoint");
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
  switch (held_.task().status) {
    case TaskStatus::kCompleted:
      parts_.metrics.tasks_completed.Increment();
      break;
    case TaskStatus::kCancelled:
      parts_.metrics.tasks_cancelled.Increment();
      break;
    default:
      parts_.metrics.tasks_blocked.Increment();
  }
  return absl::OkStatus();
}

// ---- Tools.

absl::Status TaskRun::HandleCall(const ToolCall& call) {
  parts_.metrics.tool_calls.Increment();
  plain_ends_ = 0;
  const auto result = tools_->Run(call);
  if (!result.ok()) return result.status();
  return conversation_->Answer(call, *result);
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
    return BlockIfHopeless(connection, events, reason);
  });
}

// A task whose session has failed, and that is not to be recovered, or not once more.
absl::Status TaskRun::BlockIfHopeless(pg::Connection& connection, TaskEvents& events,
                                      std::string_view reason) {
  const bool too_often = events.task().recoveries >= parts_.settings.most_recoveries;
  if (parts_.settings.recovery && !too_often) return absl::OkStatus();
  task_over_ = true;
  events.Block(too_often ? "recovery_limit" : "recovery_disabled",
               StrCat("The session failed (", reason, "). ",
                      too_often ? "It failed again and again without a new checkpoint."
                                : "ENABLE_CHECKPOINT_RECOVERY is off.",
                      " Hand the task over anew."));
  return ReturnAgent(connection, id_);
}

// What the task left in the agent's memory goes, and it may have another task. One that a lost bridge may still write
// to is of no more use.
void TaskRun::GiveBackAgent() {
  if (agent_.agent_id.empty() || agent_.own) return;
  if (agent_.suspect) {
    parts_.backend.DeleteAgent(agent_.agent_id).IgnoreError();
    return;
  }
  const auto written = parts_.backend.WriteMemory(agent_.agent_id, BlankMemory(agent_.agent_type));
  if (!written.ok()) return;  // somebody will later
  auto connection = parts_.pool.Acquire(absl::Seconds(5));
  if (connection.ok()) MakeWarm(**connection, agent_.agent_id).IgnoreError();
}

}  // namespace god33::letta
