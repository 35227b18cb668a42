#include "services/letta-bridge/scheduler.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/backoff.h"
#include "base/error.h"
#include "base/strings.h"
#include "eventlog/append.h"
#include "pg/error.h"
#include "reaction/decide.h"
#include "services/letta-bridge/checkpoint_store.h"
#include "services/letta-bridge/orders.h"
#include "services/letta-bridge/prompts.h"
#include "services/letta-bridge/questions.h"
#include "services/letta-bridge/task_store.h"
#include "telemetry/log.h"

namespace god33::letta {
namespace {

constexpr absl::Duration kTick = absl::Seconds(1);
constexpr absl::Duration kTidying = absl::Minutes(1);
constexpr absl::Duration kForgotten = absl::Seconds(30);
constexpr int kMostLookedAt = 100;

}  // namespace

Scheduler::Scheduler(TaskRun::Parts parts, std::string holder, pg::Config database,
                     rpc::Health& health)
    : parts_(parts),
      holder_(std::move(holder)),
      database_(std::move(database)),
      health_(health),
      letta_(parts.clock, Backoff(absl::Milliseconds(500), absl::Seconds(5), RandomFraction)),
      next_tidying_(parts.clock.Now()),
      keeper_([this] { KeepLeases(); }),
      thread_([this] { Run(); }) {}

void Scheduler::Stop() {
  if (!thread_.joinable()) return;
  stop_.Request();
  wakeup_.Signal();
  thread_.join();
  std::list<Running> running;
  {
    absl::MutexLock lock(&mutex_);
    for (Running& entry : running_) entry.run->Halt();
    running.swap(running_);
  }
  // Nobody waits for Letta any more.
  parts_.backend.Shutdown();
  for (Running& entry : running) entry.thread.join();
  keeper_.join();
}

// On a thread of its own: nothing else may keep a lease from being renewed in time.
void Scheduler::KeepLeases() {
  std::unique_ptr<pg::Connection> connection;
  while (!stop_.WaitFor(kLeaseRenewal)) {
    if (!connection || connection->broken()) {
      auto opened = pg::Connection::Open(database_);
      if (!opened.ok()) continue;
      connection = *std::move(opened);
    }
    // Only those that ran before can be judged by what is found: others may be taken meanwhile.
    std::vector<Uuid> tasks;
    {
      absl::MutexLock lock(&mutex_);
      for (const Running& entry : running_) {
        if (!entry.ended) tasks.push_back(entry.run->task_id());
      }
    }
    const auto held = RenewLeases(*connection, holder_, tasks);
    if (!held.ok()) {
      connection.reset();
      continue;
    }
    const absl::flat_hash_set<Uuid> judged(tasks.begin(), tasks.end());
    absl::MutexLock lock(&mutex_);
    for (Running& entry : running_) {
      const Uuid& task_id = entry.run->task_id();
      if (!entry.ended && judged.contains(task_id) && !held->contains(task_id)) {
        entry.run->LoseLease();
      }
    }
  }
}

void Scheduler::Run() {
  Backoff backoff(absl::Milliseconds(200), absl::Seconds(5), RandomFraction);
  while (!stop_.requested()) {
    auto connection = pg::Connection::Open(database_);
    absl::Status status = connection.status();
    if (status.ok()) {
      status = Follow(**connection);
      if (status.ok()) return;
    }
    Log(LogLevel::kWarning, "looking for work failed; trying again",
        {{"error", MessageOf(status)}});
    stop_.WaitFor(backoff.Next());
  }
}

absl::Status Scheduler::Follow(pg::Connection& connection) {
  if (absl::Status status = connection.Execute(StrCat("LISTEN ", kWorkChannel)); !status.ok()) {
    return status;
  }
  while (!stop_.requested()) {
    wakeup_.Clear();
    if (absl::Status status = Tick(connection); !status.ok()) return status;
    absl::Status status = connection.WaitForNotification(kTick, wakeup_);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Scheduler::Tick(pg::Connection& connection) {
  if (absl::Status status = Reap(connection); !status.ok()) return status;
  if (absl::Status status = HandOutOrders(connection); !status.ok()) return status;
  if (absl::Status status = SettleDueQuestions(connection); !status.ok()) return status;
  if (parts_.clock.Now() >= next_tidying_) {
    next_tidying_ = parts_.clock.Now() + kTidying;
    if (absl::Status status = ResetForgottenAgents(connection); !status.ok()) return status;
    if (absl::Status status = DropOldCheckpoints(connection, parts_.settings.checkpoints_kept);
        !status.ok()) {
      return status;
    }
  }
  const auto open = CountOpen(connection);
  if (!open.ok()) return open.status();
  parts_.metrics.tasks_waiting.Set(static_cast<double>(open->waiting));
  parts_.metrics.tasks_active.Set(static_cast<double>(open->active));
  parts_.metrics.tasks_paused.Set(static_cast<double>(open->paused));
  parts_.metrics.tasks_recovering.Set(static_cast<double>(open->recovering));
  return TakeWork(connection);
}

absl::Status Scheduler::LettaStatus() const {
  absl::MutexLock lock(&mutex_);
  return letta_status_;
}

std::size_t Scheduler::Count() const {
  absl::MutexLock lock(&mutex_);
  return running_.size();
}

absl::Status Scheduler::Reap(pg::Connection& connection) {
  std::list<Running> ended;
  {
    absl::MutexLock lock(&mutex_);
    for (auto entry = running_.begin(); entry != running_.end();) {
      const auto next = std::next(entry);
      if (entry->ended) ended.splice(ended.end(), running_, entry);
      entry = next;
    }
    parts_.metrics.runs.Set(static_cast<double>(running_.size()));
  }
  for (Running& entry : ended) {
    entry.thread.join();
    const Uuid& task_id = entry.run->task_id();
    if (entry.status.ok()) {
      pauses_.erase(task_id);
      continue;
    }
    Pause& pause = pauses_[task_id];
    pause.until = parts_.clock.Now() + pause.backoff.Next();
    Log(LogLevel::kWarning, "the work on a task ended early",
        {{"task_id", task_id.ToString()}, {"error", MessageOf(entry.status)}});
    absl::Status noted = NoteWait(connection, task_id, MessageOf(entry.status));
    if (!noted.ok()) return noted;
  }
  // Long ago over, or somebody else's.
  absl::erase_if(pauses_, [this](const auto& pause) {
    return pause.second.until < parts_.clock.Now() - absl::Minutes(10);
  });
  return absl::OkStatus();
}

absl::Status Scheduler::HandOutOrders(pg::Connection& connection) {
  const auto orders = ListOrders(connection);
  if (!orders.ok()) return orders.status();
  for (const Order& order : *orders) {
    bool is_ours = false;
    {
      absl::MutexLock lock(&mutex_);
      for (Running& entry : running_) {
        if (entry.ended || entry.run->task_id() != order.task_id) continue;
        entry.run->Give(order);
        is_ours = true;
      }
    }
    if (is_ours) continue;
    if (absl::Status status = ObeyUnheld(connection, order); pg::IsTransient(status)) return status;
  }
  return absl::OkStatus();
}

// An order for a task that no bridge works on, if that is so.
absl::Status Scheduler::ObeyUnheld(pg::Connection& of_tick, const Order& order) {
  std::optional<PooledAgent> freed;
  const auto decision = [&](pg::Connection& connection) -> absl::StatusOr<sequence::Unit> {
    freed.reset();
    auto task = LockTask(connection, order.task_id);
    if (!task.ok()) return task.status();
    const auto held = IsHeld(connection, order.task_id);
    if (!held.ok()) return held.status();
    if (*held) return sequence::Unit();
    const TaskStatus status = task->status;
    // A paused task is resumed by whoever takes it; an active one, by the bridge that recovers it.
    if (order.kind == Order::Kind::kResume && status == TaskStatus::kPaused)
      return sequence::Unit();
    if (status == TaskStatus::kActive && order.kind != Order::Kind::kCancel)
      return sequence::Unit();
    TaskEvents events(*std::move(task), parts_.ids);
    if (order.kind == Order::Kind::kCancel && !IsOver(status)) {
      auto agent = AgentOfTask(connection, order.task_id);
      if (!agent.ok()) return agent.status();
      freed = *std::move(agent);
      events.Cancel(order.reason, order.asked_by);
      if (absl::Status returned = ReturnAgent(connection, order.task_id); !returned.ok()) {
        return returned;
      }
      parts_.metrics.tasks_cancelled.Increment();
    } else if (order.kind == Order::Kind::kPause && status == TaskStatus::kRecovering) {
      events.Pause("requested");
    }
    absl::Status cleared = IsOver(events.task().status)
                               ? ClearOrders(connection, order.task_id)
                               : ClearOrder(connection, order.task_id, order.kind);
    if (!cleared.ok()) return cleared;
    return Record(connection, events, parts_.factory);
  };
  const absl::Status status = reaction::Decide(parts_.pool, decision).status();
  const bool is_free =
      status.ok() && freed && !freed->own && !freed->suspect && !freed->agent_id.empty();
  return is_free ? ResetAgent(of_tick, *freed) : status;
}

absl::Status Scheduler::SettleDueQuestions(pg::Connection& connection) {
  const auto due = DueQuestions(connection);
  if (!due.ok()) return due.status();
  for (const OpenQuestion& question : *due) {
    const auto decision = [&](pg::Connection& in) -> absl::StatusOr<sequence::Unit> {
      std::optional<Uuid> settled_by;
      const auto pending = LockPending(in, question.request_id, settled_by);
      if (!pending.ok()) return pending.status();
      if (!*pending) return sequence::Unit();
      // The task before the log, as everybody who appends for it.
      auto task = LockTask(in, *question.task_id);
      if (!task.ok()) return task.status();
      // An answer that is in the log, and that nobody has handled yet, was in time.
      if (absl::Status locked = eventlog::LockLog(in); !locked.ok()) return locked;
      const auto answer = FirstAnswer(in, question.request_id);
      if (!answer.ok()) return answer.status();
      if (*answer) return sequence::Unit();
      const auto fallback = DefaultOf(in, question.request_id);
      if (!fallback.ok()) return fallback.status();
      TaskEvents events(*std::move(task), parts_.ids);
      events.TimeOut(question.request_id, *fallback);
      return Record(in, events, parts_.factory);
    };
    const absl::Status status = reaction::Decide(parts_.pool, decision).status();
    if (pg::IsTransient(status)) return status;
  }
  return absl::OkStatus();
}

absl::Status Scheduler::ResetForgottenAgents(pg::Connection& connection) {
  const auto forgotten = ForgottenAgents(connection, kForgotten);
  if (!forgotten.ok()) return forgotten.status();
  for (const PooledAgent& agent : *forgotten) {
    if (absl::Status status = ResetAgent(connection, agent); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Scheduler::ResetAgent(pg::Connection& connection, const PooledAgent& agent) {
  const auto written = parts_.backend.WriteMemory(agent.agent_id, BlankMemory(agent.agent_type));
  if (written.ok()) return MakeWarm(connection, agent.agent_id);
  if (!absl::IsNotFound(written.status())) return absl::OkStatus();  // it is tried again
  return DropAgent(connection, agent.instance_id);
}

absl::Status Scheduler::TakeWork(pg::Connection& connection) {
  const std::size_t most = static_cast<std::size_t>(parts_.settings.most_runs);
  if (Count() >= most) return absl::OkStatus();
  if (!letta_.Allow()) return absl::OkStatus();
  const absl::Status answers = parts_.backend.Check();
  health_.Set("letta", answers.ok(), std::string(MessageOf(answers)));
  {
    absl::MutexLock lock(&mutex_);
    letta_status_ = answers;
  }
  parts_.metrics.letta_up.Set(answers.ok() ? 1 : 0);
  if (!answers.ok()) {
    letta_.Failed();
    return absl::OkStatus();
  }
  letta_.Succeeded();

  // Once more for each pool that turned out to have no agent free: behind its tasks there may be others'.
  absl::flat_hash_set<std::string> exhausted;
  for (std::size_t known = 0; !stop_.requested(); known = exhausted.size()) {
    const auto work = FindWork(connection, kMostLookedAt, exhausted);
    if (!work.ok()) return work.status();
    for (const Uuid& task_id : *work) {
      if (Count() >= most || stop_.requested()) return absl::OkStatus();
      absl::Status status = TryTask(connection, task_id, exhausted);
      if (!status.ok()) return status;
    }
    if (exhausted.size() == known) break;
  }
  return absl::OkStatus();
}

absl::Status Scheduler::TryTask(pg::Connection& connection, const Uuid& task_id,
                                absl::flat_hash_set<std::string>& exhausted) {
  const auto pause = pauses_.find(task_id);
  if (pause != pauses_.end() && pause->second.until > parts_.clock.Now()) return absl::OkStatus();
  auto taken = Take(task_id);
  if (pg::IsTransient(taken.status())) return taken.status();
  if (!taken.ok()) {
    Log(LogLevel::kWarning, "a task can't be taken",
        {{"task_id", task_id.ToString()}, {"error", MessageOf(taken.status())}});
    return absl::OkStatus();
  }
  if (taken->claim) StartRun(*std::move(taken->claim));
  if (taken->pool.empty()) return absl::OkStatus();
  if (exhausted.insert(taken->pool).second) parts_.metrics.waits_for_agent.Increment();
  return NoteWait(connection, task_id, StrCat("a free agent of ", taken->pool));
}

absl::StatusOr<ClaimResult> Scheduler::Take(const Uuid& task_id) {
  ClaimResult result;
  const auto decision = [&](pg::Connection& connection) -> absl::StatusOr<sequence::Unit> {
    auto claimed = ClaimTask(connection, task_id, holder_, parts_.settings.agents_per_type,
                             parts_.clock.Now());
    if (!claimed.ok()) return claimed.status();
    result = *std::move(claimed);
    if (result.rejected) {
      const bool late = result.why == NotClaimed::kLate;
      TaskEvents events(*result.rejected, parts_.ids);
      events.Reject(late ? "deadline_passed" : "unknown_agent",
                    late ? "no agent of its type was free before its deadline"
                         : "there is no agent with the hand-off's agent_id");
      return Record(connection, events, parts_.factory);
    }
    // Without a claim nothing stays: the lease that was taken must not be kept either.
    if (!result.claim) return absl::CancelledError("not claimed");
    return sequence::Unit();
  };
  const auto outcome = reaction::Decide(parts_.pool, decision);
  if (outcome.ok() || absl::IsCancelled(outcome.status())) return result;
  return outcome.status();
}

void Scheduler::StartRun(Claim claim) {
  absl::MutexLock lock(&mutex_);
  Running& entry = running_.emplace_back();
  entry.run = std::make_unique<TaskRun>(parts_, std::move(claim));
  entry.thread = std::thread([this, &entry] {
    entry.status = entry.run->Run();
    entry.ended = true;
    wakeup_.Signal();
  });
}

}  // namespace god33::letta
