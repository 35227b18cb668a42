#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "pg/connection.h"
#include "reaction/handler.h"
#include "reaction/journal.h"
#include "reaction/metrics.h"
#include "reaction/reactor.h"

namespace god33::reaction {

// Where an event came from.
enum class Origin { kBus, kLog, kFailures };

// An event on its way through the tries.
struct Task {
  Incoming incoming;
  Origin origin;

  // A commit got no answer: if the event turns out to be handled, that may be our doing.
  bool in_doubt = false;
};

enum class Disposition {
  kHandled,
  kDuplicate,   // it was handled before
  kIdConflict,  // its id is taken by other content: nothing was done
  kFailed,      // the handler can't: recorded as a failure
};

// Runs a handler's reactions, one at a time, on a connection of its own. Thread-safe.
class Reaction {
 public:
  Reaction(const Options& options, const Journal& journal, Handler& handler, Metrics& metrics,
           const TellHealth& tell_health);

  // Reacts to an event that concerns the handler. An error is the database's fault, which health tells: try again
  // later.
  absl::StatusOr<Disposition> React(Task& task);

  // Tells health and metrics how the database does and what has failed.
  void Look();

 private:
  absl::Status EnsureConnected() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Disposition> ConnectAndTry(Task& task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Disposition> Lost(const Task& task, const absl::Status& failure)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Disposition> Try(Task& task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Disposition> Store(Task& task, pg::Transaction transaction,
                                    const sequence::Unit& decision)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Disposition> Record(const Task& task, const absl::Status& failure)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status TellFailures() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FreeLog(const absl::Status& failure) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteDatabase(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options& options_;
  const Journal& journal_;
  Handler& handler_;
  Metrics& metrics_;
  const TellHealth& tell_health_;
  absl::Mutex mutex_;
  std::unique_ptr<pg::Connection> connection_ ABSL_GUARDED_BY(mutex_);

  // Of events that are not done with: how often the connection was lost over them.
  absl::flat_hash_map<Uuid, int> lost_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace god33::reaction
