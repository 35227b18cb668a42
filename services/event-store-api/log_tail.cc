#include "services/event-store-api/log_tail.h"

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/error.h"
#include "pg/error.h"
#include "telemetry/log.h"

namespace god33::api {
namespace {

constexpr absl::Duration kPoll = absl::Seconds(1);
constexpr absl::Duration kPollOfStandby = absl::Milliseconds(100);

// SQLSTATE of a LISTEN on a standby.
constexpr char kReadOnly[] = "25006";

// One read: what it holds in memory, and how long it takes, is bounded by these.
constexpr std::int64_t kMostPositions = 4000;
constexpr int kMostEntries = 1000;
constexpr std::int64_t kMostStoredBytes = 2 << 20;

}  // namespace

LogTail::LogTail(pg::Config database, EventRing& log, EventRing& settled, TailListener& listener,
                 AnswerCache& cache, StreamMetrics& metrics)
    : database_(std::move(database)),
      log_(log),
      settled_(settled),
      listener_(listener),
      cache_(cache),
      cache_follower_(cache),
      metrics_(metrics),
      thread_([this] { Run(); }) {}

LogTail::~LogTail() {
  stop_.Request();
  wakeup_.Signal();
  thread_.join();
}

void LogTail::Run() {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(2), RandomFraction);
  while (!stop_.requested()) {
    auto connection = pg::Connection::Open(database_);
    absl::Status status = connection.status();
    if (status.ok()) {
      const std::int64_t since = MonotonicNanos();
      status = Follow(**connection);
      if (MonotonicNanos() - since > absl::ToInt64Nanoseconds(kPoll)) backoff.Reset();
    }
    if (status.ok()) return;
    Log(LogLevel::kWarning, "following the log for streams and cache failed; trying again",
        {{"error", MessageOf(status)}});
    stop_.WaitFor(backoff.Next());
  }
}

// OK: a stop was asked for.
absl::Status LogTail::Follow(pg::Connection& connection) {
  const absl::Status listening = connection.Execute("LISTEN god33_log");
  const bool standby = pg::SqlState(listening) == kReadOnly;
  if (!listening.ok() && !standby) return listening;
  while (!stop_.requested()) {
    const auto state = Look(connection);
    if (!state.ok()) return state.status();
    const auto more = Step(connection, *state, StreamOrder::kLog);
    if (!more.ok()) return more.status();
    const auto more_settled = Step(connection, *state, StreamOrder::kSettled);
    if (!more_settled.ok()) return more_settled.status();
    if (*more || *more_settled) continue;
    absl::Status status = connection.WaitForNotification(Poll(standby), wakeup_);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Duration LogTail::Poll(bool standby) const {
  // Late parents are worked off without a notification.
  const bool unsettled = settled_.end() < log_.end();
  const absl::Duration poll = standby || unsettled ? kPollOfStandby : kPoll;
  return cache_.on() ? std::min(poll, cache_follower_.next_look()) : poll;
}

absl::StatusOr<StreamState> LogTail::Look(pg::Connection& connection) {
  const std::int64_t now = MonotonicNanos();
  auto state = ReadStreamState(connection);
  if (!state.ok()) return state;
  Forget(state->point.horizon);
  if (!cache_.on()) return state;
  absl::Status status = cache_follower_.Follow(connection, state->point, now);
  if (!status.ok()) return status;
  return state;
}

// What retention has dropped is not in memory any longer, either: whoever is behind reads the database.
void LogTail::Forget(std::int64_t horizon) {
  metrics_.horizon.Set(static_cast<double>(horizon));
  const bool moved = horizon_ != 0 && horizon > horizon_;
  horizon_ = horizon;
  if (!moved) return;
  for (EventRing* ring : {&log_, &settled_}) ring->Start(ring->log_id(), ring->end());
}

absl::StatusOr<bool> LogTail::Step(pg::Connection& connection, const StreamState& state,
                                   StreamOrder order) {
  EventRing& ring = order == StreamOrder::kLog ? log_ : settled_;
  const bool wanted = listener_.Wants(order);
  const Uuid log_id = ring.log_id();
  if (!wanted || log_id == Uuid()) {
    Skip(ring, order, state);
    return false;
  }
  auto read = ReadStream(connection,
                         {.order = order,
                          .after = ring.end(),
                          .most_positions = kMostPositions,
                          .most_entries = kMostEntries,
                          .most_bytes = kMostStoredBytes},
                         nullptr);
  if (!read.ok()) return read.status();
  if (read->state.point.log_id != log_id || read->batch.after.position + 1 < read->horizon) {
    Skip(ring, order, read->state);
    return true;
  }
  if (order == StreamOrder::kLog) {
    metrics_.tail_position.Set(static_cast<double>(read->batch.end.position));
    metrics_.tail_lag.Set(static_cast<double>(
        std::max<std::int64_t>(0, read->state.point.head - read->batch.end.position)));
  }
  if (read->batch.end <= read->batch.after) return false;
  const StreamPoint end{read->state.end(order), 0};
  const bool more = read->batch.end < end;
  ring.Add(std::make_shared<StreamBatch>(std::move(read->batch)));
  listener_.OnMore(order);
  return more;
}

// Goes on at the order's end, without what lies between: whoever needs that reads the database.
void LogTail::Skip(EventRing& ring, StreamOrder order, const StreamState& state) {
  const StreamPoint end{state.end(order), 0};
  const bool same = ring.log_id() == state.point.log_id;
  // A standby may answer from behind for a moment.
  if (same && end <= ring.end()) return;
  ring.Start(state.point.log_id, end);
  if (!same) listener_.OnLog(state.point.log_id);
  listener_.OnMore(order);
  if (order == StreamOrder::kLog) {
    metrics_.tail_position.Set(static_cast<double>(end.position));
    metrics_.tail_lag.Set(0);
  }
}

}  // namespace god33::api
