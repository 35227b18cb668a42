#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/stop.h"
#include "base/wakeup.h"
#include "eventlog/cursor.h"
#include "pg/connection.h"

namespace god33::manager {

// What a follower does with the log.
class FollowerWork {
 public:
  virtual ~FollowerWork() = default;

  // Does one bounded step from lease.position on, in transactions of its own, and moves the lease's
  // cursor in the last of them. True: there may be more to do at once. Any error ends the
  // connection; the step is tried again later, perhaps by another process.
  virtual absl::StatusOr<bool> Step(pg::Connection& connection, eventlog::CursorLease& lease) = 0;

  // The lease was given up or has gone: another process may do the work now.
  virtual void LeaseEnded() {}
};

// Follows the log by position on a thread and a connection of its own, woken by the log's
// notifications and by a poll each second. Of all processes that follow under one name, the holder
// of the lease works and the others stand by; when he dies or is stopped, the lease runs out after
// kLease.
class Follower {
 public:
  static constexpr absl::Duration kLease = absl::Seconds(5);

  // `holder` tells this process from the others. `work` must outlive it. Having caught up, it rests four
  // times as long as the step took, at most `most_rest`: under load a few larger steps cost much less than
  // many small ones, and after a quiet time nothing waits.
  Follower(std::string name, std::string holder, pg::Config database, absl::Duration most_rest,
           FollowerWork& work);

  // Finishes the step under way and gives the lease up.
  ~Follower();

  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

 private:
  void Run();
  absl::Status Follow(pg::Connection& connection);
  absl::Status WorkWhileHolding(pg::Connection& connection, eventlog::CursorLease& lease);

  const std::string name_;
  const std::string holder_;
  const pg::Config database_;
  const absl::Duration most_rest_;
  FollowerWork& work_;
  Stop stop_;
  Wakeup wakeup_;
  std::thread thread_;
};

}  // namespace god33::manager
