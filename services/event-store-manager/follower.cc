#include "services/event-store-manager/follower.h"

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/error.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

constexpr absl::Duration kPoll = absl::Seconds(1);

}  // namespace

Follower::Follower(std::string name, std::string holder, pg::Config database,
                   absl::Duration most_rest, FollowerWork& work)
    : name_(std::move(name)),
      holder_(std::move(holder)),
      database_(std::move(database)),
      most_rest_(most_rest),
      work_(work),
      thread_([this] { Run(); }) {}

Follower::~Follower() {
  stop_.Request();
  wakeup_.Signal();
  thread_.join();
}

void Follower::Run() {
  Backoff backoff(absl::Milliseconds(200), absl::Seconds(5), RandomFraction);
  while (!stop_.requested()) {
    auto connection = pg::Connection::Open(database_);
    absl::Status status = connection.status();
    if (status.ok()) status = (*connection)->Execute("LISTEN god33_log");
    if (status.ok()) {
      const std::int64_t since = MonotonicNanos();
      status = Follow(**connection);
      // What worked for a while is tried again soon; what fails at once waits longer each time.
      if (MonotonicNanos() - since > absl::ToInt64Nanoseconds(Follower::kLease)) backoff.Reset();
    }
    if (status.ok()) return;
    Log(LogLevel::kWarning, "following the log failed; trying again",
        {{"cursor", name_}, {"error", MessageOf(status)}});
    stop_.WaitFor(backoff.Next());
  }
}

// OK: a stop was asked for.
absl::Status Follower::Follow(pg::Connection& connection) {
  while (!stop_.requested()) {
    auto lease = eventlog::AcquireCursor(connection, name_, holder_, kLease);
    if (!lease.ok()) return lease.status();
    if (!*lease) {
      stop_.WaitFor(kPoll);
      continue;
    }
    Log(LogLevel::kInfo, "following the log",
        {{"cursor", name_}, {"position", (*lease)->position}, {"epoch", (*lease)->epoch}});
    const absl::Status status = WorkWhileHolding(connection, **lease);
    work_.LeaseEnded();
    if (ReasonOf(status) == "LEASE_LOST") {
      Log(LogLevel::kWarning, "the lease has gone to another holder", {{"cursor", name_}});
      continue;
    }
    if (!status.ok()) return status;
    return eventlog::ReleaseCursor(connection, **lease);
  }
  return absl::OkStatus();
}

absl::Status Follower::WorkWhileHolding(pg::Connection& connection, eventlog::CursorLease& lease) {
  std::int64_t renewed = MonotonicNanos();
  while (!stop_.requested()) {
    const std::int64_t begun = MonotonicNanos();
    const auto more = work_.Step(connection, lease);
    if (!more.ok()) return more.status();
    const std::int64_t now = MonotonicNanos();
    if (now - renewed > absl::ToInt64Nanoseconds(kLease / 4)) {
      absl::Status status =
          eventlog::MoveCursor(connection, lease, lease.position, lease.within, kLease);
      if (!status.ok()) return status;
      renewed = now;
    }
    if (*more) continue;
    stop_.WaitFor(std::min(most_rest_, 4 * absl::Nanoseconds(now - begun)));
    absl::Status status = connection.WaitForNotification(kPoll, wakeup_);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace god33::manager
