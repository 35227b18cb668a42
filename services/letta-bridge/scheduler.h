#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "base/backoff.h"
#include "base/breaker.h"
#include "base/stop.h"
#include "base/wakeup.h"
#include "rpc/health.h"
#include "services/letta-bridge/task_run.h"
#include "services/letta-bridge/work_queue.h"

namespace god33::letta {

// Finds work for this bridge and keeps its leases: takes tasks and runs each on a thread of its own, hands orders to
// runs, obeys those for tasks that nobody holds, answers questions whose time is over with their default, makes
// returned agents warm again, and drops old checkpoints. While Letta is away it takes nothing: tasks wait in the
// log. Any number of bridges work side by side.
class Scheduler {
 public:
  Scheduler(TaskRun::Parts parts, std::string holder, pg::Config database, rpc::Health& health);

  ~Scheduler() { Stop(); }

  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Lets go of its tasks, which other bridges then take, joins all threads, and ends all calls of Letta. Idempotent; for
  // the thread that destroys it.
  void Stop();

  // How Letta was when it was last looked at. Any thread.
  absl::Status LettaStatus() const;

  // There may be work. Any thread.
  void Wake() { wakeup_.Signal(); }

 private:
  struct Running {
    std::unique_ptr<TaskRun> run;
    std::thread thread;
    absl::Status status;  // once it has ended
    std::atomic<bool> ended = false;
  };

  void KeepLeases();
  void Run();
  absl::Status Follow(pg::Connection& connection);
  absl::Status Tick(pg::Connection& connection);
  absl::Status Reap(pg::Connection& connection);
  absl::Status HandOutOrders(pg::Connection& connection);
  absl::Status ObeyUnheld(pg::Connection& of_tick, const Order& order);
  absl::Status SettleDueQuestions(pg::Connection& connection);
  absl::Status ResetForgottenAgents(pg::Connection& connection);
  absl::Status ResetAgent(pg::Connection& connection, const PooledAgent& agent);
  absl::Status TakeWork(pg::Connection& connection);
  absl::Status TryTask(pg::Connection& connection, const Uuid& task_id,
                       absl::flat_hash_set<std::string>& exhausted);
  absl::StatusOr<ClaimResult> Take(const Uuid& task_id);
  void StartRun(Claim claim);
  std::size_t Count() const;

  const TaskRun::Parts parts_;
  const std::string holder_;
  const pg::Config database_;
  rpc::Health& health_;
  CircuitBreaker letta_;
  god33::Stop stop_;
  Wakeup wakeup_;

  mutable absl::Mutex mutex_;
  std::list<Running> running_ ABSL_GUARDED_BY(mutex_);
  absl::Status letta_status_ ABSL_GUARDED_BY(mutex_);

  // Tasks whose work ended early, and when they may be tried again: what fails at once must not fail without a pause.
  struct Pause {
    Backoff backoff{absl::Seconds(1), absl::Seconds(30), RandomFraction};
    absl::Time until;
  };
  absl::flat_hash_map<Uuid, Pause> pauses_;  // of thread_

  absl::Time next_tidying_;
  std::thread keeper_;
  std::thread thread_;
};

}  // namespace god33::letta
