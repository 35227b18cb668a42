#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/stop.h"
#include "services/letta-bridge/backend.h"
#include "services/letta-bridge/held_task.h"
#include "services/letta-bridge/metrics.h"
#include "services/letta-bridge/orders.h"
#include "services/letta-bridge/settings.h"
#include "services/letta-bridge/task_events.h"
#include "services/letta-bridge/task_tools.h"
#include "services/letta-bridge/work_queue.h"

namespace god33::letta {

// Why a session can't go on: an error whose reason the event agent.letta.session.failed has, in lower case.
absl::Status SessionFailure(std::string_view reason, std::string_view detail);

// Works on one task, from where it stands until it is over, pauses or fails, on the caller's thread: gives its
// agent inputs, runs the tools that it calls, saves checkpoints between its turns, and reports all of it as
// events. Every epoch has a conversation of its own, forked from the last checkpoint: a bridge that was stopped and
// wakes up talks into a conversation that nobody listens to, and its events are refused.
//
// task_begin.cc has how it begins, this header's .cc the rest.
class TaskRun {
 public:
  struct Parts {
    Backend& backend;
    pg::Pool& pool;
    const reaction::EventFactory& factory;
    IdSource& ids;
    Clock& clock;
    Metrics& metrics;
    const Settings& settings;
  };

  TaskRun(Parts parts, Claim claim);

  // Works until there is nothing to do for this epoch; gives the lease up. The error is why it ended early, for
  // the log: what follows from it is in the task's events.
  absl::Status Run();

  // ---- Any thread.

  const Uuid& task_id() const { return id_; }

  // To be done at the next border of a turn, once; pausing and cancelling end the turn. A kind that was given
  // already changes nothing.
  void Give(const Order& order);

  // Another bridge has the lease: everything is dropped at once.
  void LoseLease();

  // The bridge stops: the task is left to another one.
  void Halt();

 private:
  // Of the conversation's newest: enough to find the last input and the last whole message.
  static constexpr int kMessagesLookedAt = 50;

  absl::Status Work();
  absl::Status Begin();
  absl::Status BeginFresh();
  absl::Status BeginPaused();
  absl::Status BeginRecovery();
  absl::Status AbortOldTurn();
  absl::StatusOr<std::string> Restore(const Checkpoint& checkpoint, bool& agent_is_new);
  absl::Status EnsureAgent(const std::vector<MemoryFile>& memory);
  absl::Status MakeAgent(const std::vector<MemoryFile>& memory);
  absl::Status Attach(const std::string& conversation_id);
  absl::Status Reattach();

  std::string LastMarker() const;  // of the last input
  absl::Status Send(const std::string& text);
  absl::Status Turn();
  absl::Status Border(const TurnFinished& finished);
  absl::Status CutIfWanted();
  absl::Status CutTurn(bool at_once);
  absl::StatusOr<Message> LastWhole();
  absl::Status ObeyOrders();
  absl::Status Ask(const TurnOutcome& outcome);
  absl::Status GoOn(const TurnFinished& finished);
  CheckpointRecord NewRecord(const std::string& type) const;
  absl::StatusOr<CheckpointRecord> TakeRecord(const std::string& type);
  absl::Status SaveCheckpoint(const std::string& type,
                              const std::function<void(TaskEvents&)>& then = nullptr);
  absl::Status FinishStep(pg::Connection& connection, const Task& after);
  absl::Status EndTask(const std::string& checkpoint_type,
                       const std::function<void(TaskEvents&)>& say);
  bool CheckpointDue() const;

  absl::Status HandleCall(const ToolCall& call);

  absl::Status CheckInterrupts();
  std::optional<Order> TakeOrder();
  absl::Status End(const absl::Status& why);
  absl::Status BlockIfHopeless(pg::Connection& connection, TaskEvents& events,
                               std::string_view reason);
  void GiveBackAgent();

  const Parts parts_;
  const Uuid id_;
  Stop stop_;
  std::atomic<bool> lease_lost_ = false;
  std::atomic<bool> stopping_ = false;

  mutable absl::Mutex mutex_;
  std::vector<Order> orders_ ABSL_GUARDED_BY(mutex_);
  Conversation* attached_ ABSL_GUARDED_BY(mutex_) = nullptr;  // for Wake

  // ---- The thread of Run.
  HeldTask held_;
  PooledAgent agent_;
  const bool holder_was_lost_;
  std::optional<TaskTools> tools_;
  std::unique_ptr<Conversation> conversation_;
  int inputs_ = 0;  // sent in this epoch
  std::string last_input_;
  std::string last_answer_;  // the agent's last text
  int plain_ends_ = 0;       // turns in a row that said nothing of the task
  int failures_ = 0;         // turns in a row that the model failed
  std::int64_t messages_ = 0;
  std::int64_t messages_at_checkpoint_ = 0;
  std::int64_t tokens_ = 0;
  absl::Time begun_at_;
  absl::Time checkpoint_at_;
  absl::Time last_activity_;
  absl::flat_hash_set<std::string> open_calls_;  // whose results the conversation doesn't show yet
  std::vector<MemoryFile> record_memory_;        // what TakeRecord found
  bool result_is_last_ = false;                  // a tool's, of what was seen of the turn
  bool done_ = false;                            // there is nothing more to do in this epoch
  bool task_over_ = false;                       // and the agent is free again
};

}  // namespace god33::letta
