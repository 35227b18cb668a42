#include "reaction/sweeper.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/error.h"
#include "telemetry/log.h"

namespace god33::reaction {
namespace {

// How soon a database that has gone is noticed while nothing comes, and failures are tried when asked for.
constexpr absl::Duration kLook = absl::Seconds(5);

constexpr absl::Duration kLease = absl::Seconds(10);

}  // namespace

Sweeper::Sweeper(const Options& options, const Journal& journal, Reaction& reaction,
                 const Handler& handler, Metrics& metrics)
    : options_(options),
      journal_(journal),
      reaction_(reaction),
      handler_(handler),
      metrics_(metrics),
      types_(options.event_types.begin(), options.event_types.end()),
      thread_([this] { Run(); }) {}

Sweeper::~Sweeper() {
  stop_.Request();
  thread_.join();
}

void Sweeper::Run() {
  Backoff backoff(absl::Milliseconds(500), absl::Seconds(10), RandomFraction);
  std::int64_t due = MonotonicNanos();
  while (!stop_.requested()) {
    reaction_.Look();
    if (MonotonicNanos() >= due || retry_failures_) {
      const std::int64_t begun = MonotonicNanos();
      auto connection = pg::Connection::Open(options_.database);
      absl::Status status = connection.status();
      if (status.ok()) status = Round(**connection);
      if (status.ok()) backoff.Reset();
      if (!status.ok()) {
        Log(LogLevel::kWarning, "sweeping the log failed; trying again",
            {{"cursor", journal_.cursor()}, {"error", MessageOf(status)}});
      }
      due = begun + absl::ToInt64Nanoseconds(
                        status.ok() ? options_.sweep_every
                                    : absl::Nanoseconds(MonotonicNanos() - begun) + backoff.Next());
    }
    stop_.WaitFor(std::min(kLook, absl::Nanoseconds(due - MonotonicNanos())));
  }
}

absl::Status Sweeper::Round(pg::Connection& connection) {
  absl::Status status = journal_.Register(connection, options_.from_beginning);
  if (!status.ok()) return status;
  if (retry_failures_) {
    status = Retry(connection);
    if (!status.ok()) return status;
  }
  const auto head = journal_.Head(connection);
  if (!head.ok()) return head.status();
  if (stop_.WaitFor(options_.settle)) return absl::OkStatus();
  return Sweep(connection, *head);
}

absl::Status Sweeper::Retry(pg::Connection& connection) {
  Uuid after;
  retry_failures_ = false;
  for (;;) {
    auto events = journal_.FailedEvents(connection, after);
    absl::Status status = events.status();
    if (status.ok() && events->empty()) return absl::OkStatus();
    if (status.ok()) after = events->back().envelope.id;
    for (std::size_t i = 0; status.ok() && i < events->size(); ++i) {
      if (stop_.requested()) return absl::OkStatus();
      status = React(std::move((*events)[i]), Origin::kFailures);
    }
    if (!status.ok()) {
      retry_failures_ = true;
      return status;
    }
  }
}

absl::Status Sweeper::Sweep(pg::Connection& connection, std::int64_t up_to) {
  auto lease = eventlog::AcquireCursor(connection, journal_.cursor(), options_.holder, kLease);
  if (!lease.ok()) return lease.status();
  if (!*lease) return absl::OkStatus();  // another replica sweeps
  absl::Status status = SweepTo(connection, **lease, up_to);
  if (!status.ok()) return status;
  const auto head = journal_.Head(connection);
  if (!head.ok()) return head.status();
  metrics_.cursor_position.Set(static_cast<double>((*lease)->position));
  metrics_.sweep_lag.Set(static_cast<double>(*head - (*lease)->position));
  return eventlog::ReleaseCursor(connection, **lease);
}

absl::Status Sweeper::SweepTo(pg::Connection& connection, eventlog::CursorLease& lease,
                              std::int64_t up_to) {
  std::int64_t renewed = MonotonicNanos();
  while (lease.position < up_to && !stop_.requested()) {
    auto page = journal_.Next(connection, types_, lease.position, up_to);
    if (!page.ok()) return page.status();
    std::int64_t done = lease.position;
    for (eventlog::StoredEvent& event : page->events) {
      if (stop_.requested()) break;
      const std::int64_t position = event.position;
      if (handler_.Concerns(event.envelope)) {
        absl::Status status = React(std::move(event), Origin::kLog);
        if (!status.ok()) return status;
      }
      done = position;
      if (MonotonicNanos() - renewed > absl::ToInt64Nanoseconds(kLease / 4)) {
        absl::Status status = journal_.MoveTo(connection, lease, done, kLease);
        if (!status.ok()) return status;
        renewed = MonotonicNanos();
      }
    }
    const bool whole = page->events.empty() || done == page->events.back().position;
    absl::Status status =
        journal_.MoveTo(connection, lease, whole && page->last ? up_to : done, kLease);
    if (!status.ok()) return status;
    renewed = MonotonicNanos();
  }
  return absl::OkStatus();
}

absl::Status Sweeper::React(eventlog::StoredEvent event, Origin origin) {
  Task task{.origin = origin};
  task.incoming.position = event.position;
  task.incoming.event = sequence::Prepare(std::move(event.envelope));
  task.incoming.event.payload_errors = std::move(event.payload_errors);
  const auto done = reaction_.React(task);
  if (!done.ok()) return done.status();
  if (*done == Disposition::kHandled && origin == Origin::kLog) metrics_.caught_up.Increment();
  return absl::OkStatus();
}

}  // namespace god33::reaction
