#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "base/strings.h"
#include "json/write.h"
#include "services/letta-bridge/prompts.h"
#include "services/letta-bridge/task_run.h"
#include "services/letta-bridge/task_store.h"
#include "services/letta-bridge/tool_journal.h"
#include "telemetry/log.h"

// How a run begins: with a new task, after a pause, after a failure, after a lost connection.

namespace god33::letta {
namespace {

// How long Letta may be away before the session counts as failed.
constexpr absl::Duration kMostAway = absl::Seconds(10);

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

}  // namespace

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

// Whoever has handed the task over waits for the acceptance: it comes as soon as an agent and a conversation are there.
// The memory for the task is in the first checkpoint by then, and is loaded before the first input.
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
  bool loaded = agent_.agent_id.empty();
  absl::Status status = loaded ? MakeAgent(memory) : absl::OkStatus();
  if (status.ok()) status = Attach("");
  if (absl::IsNotFound(status)) {
    loaded = true;
    status = MakeAgent(memory);
    if (status.ok()) status = Attach("");
  }
  if (!status.ok()) return status;

  CheckpointRecord record = NewRecord("initial");
  const TaskEvents::Session session{.id = parts_.ids.New(),
                                    .instance_id = agent_.instance_id,
                                    .agent_id = agent_.agent_id,
                                    .conversation_id = conversation_->id()};
  failpoint::Reached("before_accept");
  status = held_.Step([&](pg::Connection& connection, TaskEvents& events) -> absl::Status {
    const auto digest = KeepMemory(connection, memory);
    if (!digest.ok()) return digest.status();
    record.memory_digest = *digest;
    events.Accept(session, record.id);
    events.SaveCheckpoint(record);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  parts_.metrics.checkpoints.Increment();
  parts_.metrics.accept_seconds.Observe(absl::ToDoubleSeconds(parts_.clock.Now() - begun_at_));
  if (!loaded) {
    const auto written = parts_.backend.WriteMemory(agent_.agent_id, memory);
    if (!written.ok()) return written.status();
    status = conversation_->SeeMemory();
    if (!status.ok()) return status;
  }
  failpoint::Reached("before_first_input");
  return Send(TaskInput(held_.task()));
}

absl::Status TaskRun::BeginPaused() {
  bool agent_is_new = false;
  const std::optional<Checkpoint> checkpoint = held_.task().checkpoint;
  if (!checkpoint) return SessionFailure("NO_CHECKPOINT", "a paused task has no checkpoint");
  const auto conversation = Restore(*checkpoint, agent_is_new);
  if (!conversation.ok()) return conversation.status();
  absl::Status status = Attach(*conversation);
  if (!status.ok()) return status;
  messages_ = messages_at_checkpoint_ = checkpoint->message_count;
  const bool had_question = held_.task().question.has_value();
  failpoint::Reached("before_resume");
  const bool from_nothing = agent_is_new || checkpoint->message_id.empty();
  std::vector<LostCall> lost;
  status = held_.Step([&](pg::Connection& connection, TaskEvents& events) -> absl::Status {
    auto calls = LoseCalls(connection, id_, from_nothing ? 0 : checkpoint->sequence);
    if (!calls.ok()) return calls.status();
    lost = *std::move(calls);
    events.Resume(conversation_->id());
    return ClearOrder(connection, id_, Order::Kind::kResume);
  });
  if (!status.ok()) return status;
  const Task& task = held_.task();
  if (from_nothing) return Send(StrCat(TaskInput(task), "\n", RecoveredInput(task, lost)));
  return Send(had_question ? AnswerInput(task) : GoOnInput());
}

absl::Status TaskRun::BeginRecovery() {
  const Uuid new_session = parts_.ids.New();
  absl::Status status =
      held_.Step([&](pg::Connection& connection, TaskEvents& events) -> absl::Status {
        if (events.task().status == TaskStatus::kActive) {
          if (holder_was_lost_) {
            events.FailSession("holder_lost", "the bridge that worked on it gave no sign of life");
          } else {
            events.FailSession("holder_stopped", "the bridge that worked on it was stopped");
          }
        }
        // One that was stopped has done no harm; who gave no sign of life may have died of the task.
        if (holder_was_lost_ || !parts_.settings.recovery) {
          const std::string reason = events.task().reason;
          absl::Status blocked = BlockIfHopeless(connection, events, reason);
          if (!blocked.ok() || task_over_) return blocked;
        }
        events.StartRecovery(new_session, held_.lease().epoch);
        return absl::OkStatus();
      });
  done_ = task_over_;
  if (!status.ok() || done_) return status;
  parts_.metrics.recoveries.Increment();
  failpoint::Reached("in_recovery");
  status = AbortOldTurn();
  if (!status.ok()) return status;

  const std::optional<Checkpoint> checkpoint = held_.task().recovered_from;
  if (!checkpoint) return SessionFailure("NO_CHECKPOINT", "an accepted task has no checkpoint");
  bool agent_is_new = false;
  const std::int64_t messages_before = checkpoint->message_count;
  const auto conversation = Restore(*checkpoint, agent_is_new);
  if (!conversation.ok()) return conversation.status();
  status = Attach(*conversation);
  if (!status.ok()) return status;
  messages_ = messages_at_checkpoint_ = messages_before;
  const WorktreeState worktree = tools_->workspace().Look();
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
  const bool from_nothing = agent_is_new || checkpoint->message_id.empty();
  std::vector<LostCall> lost;
  status = held_.Step([&](pg::Connection& connection, TaskEvents& events) -> absl::Status {
    auto calls = LoseCalls(connection, id_, from_nothing ? 0 : checkpoint->sequence);
    if (!calls.ok()) return calls.status();
    lost = *std::move(calls);
    events.RestoreContext(agent_.agent_id, conversation_->id(), delta);
    events.ResumeTask();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  const Task& task = held_.task();
  const std::string input = RecoveredInput(task, lost);
  return Send(from_nothing ? StrCat(TaskInput(task), "\n", input) : input);
}

// The turn of the holder before must do nothing any more. Where there is no such conversation, none runs.
absl::Status TaskRun::AbortOldTurn() {
  const Task& task = held_.task();
  if (task.conversation_id.empty()) return absl::OkStatus();
  auto old = parts_.backend.Open({.agent_id = task.agent_id,
                                  .conversation_id = task.conversation_id,
                                  .directory = tools_->workspace().directory().string()});
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

// Has the agent of the pool with this memory, or a new one if it is yet to be made, or if Letta itself says that it is
// no more.
absl::Status TaskRun::EnsureAgent(const std::vector<MemoryFile>& memory) {
  if (agent_.agent_id.empty()) return MakeAgent(memory);
  const absl::Status written = parts_.backend.WriteMemory(agent_.agent_id, memory).status();
  return absl::IsNotFound(written) ? MakeAgent(memory) : written;
}

absl::Status TaskRun::MakeAgent(const std::vector<MemoryFile>& memory) {
  if (!agent_.agent_id.empty()) {
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
                                     .directory = tools_->workspace().directory().string(),
                                     .tools = ToolSpecs(parts_.settings.commands)});
  if (!opened.ok()) return opened.status();
  last_activity_ = parts_.clock.Now();
  absl::MutexLock lock(&mutex_);
  conversation_ = *std::move(opened);
  attached_ = conversation_.get();
  return absl::OkStatus();
}

// After a loss of the connection: Letta may have gone on, or have gone down with the turn.
absl::Status TaskRun::Reattach() {
  const std::string id = conversation_->id();
  const bool call_was_open = !open_calls_.empty();
  const std::string marker = LastMarker();
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
    if (absl::IsNotFound(status)) return SessionFailure("CONVERSATION_LOST", MessageOf(status));
    if (parts_.clock.Now() >= give_up) return status;
    stop_.WaitFor(backoff.Next());
    if (absl::Status interrupted = CheckInterrupts(); !interrupted.ok()) return interrupted;
  }
  open_calls_.clear();
  // Letta forgets whom it asked for a result when that one's connection goes.
  if (call_was_open)
    return SessionFailure("TURN_LOST", "the connection was lost during a call of a tool");
  // A turn that goes on would ask the connection that is gone for the results of its calls, for ever.
  if (conversation_->running()) return CutTurn(true);

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
  return SessionFailure("LETTA_CRASHED", "Letta was gone in the middle of a turn");
}

}  // namespace god33::letta
