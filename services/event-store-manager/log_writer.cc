#include "services/event-store-manager/log_writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/failpoint.h"
#include "base/strings.h"
#include "eventlog/append.h"
#include "eventlog/lookup.h"
#include "eventlog/stalled_holder.h"
#include "pg/error.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

using eventlog::DeadLetter;
using sequence::Outcome;
using sequence::Unit;

constexpr int kMostAttempts = 3;
constexpr absl::Duration kIdle = absl::Seconds(5);

constexpr pg::Statement kLogId = {"check_log_identity", "SELECT check_log_identity()"};

// What doesn't fit into this little memory goes to the disk of the tables: a few MB, gone at once.
constexpr char kTryRoom[] =
    "BEGIN; SET LOCAL work_mem = '64kB'; SELECT count(*) FROM generate_series(1, 100000); COMMIT";

// What appends are told.
absl::Status Refusal(const absl::Status& fault) {
  if (pg::IsDiskFull(fault)) {
    return MakeError(
        absl::StatusCode::kUnavailable, "DATABASE_FULL",
        "the database's disk is full; retry with the same event ids when there is room");
  }
  return MakeError(absl::StatusCode::kUnavailable, "DATABASE_UNAVAILABLE",
                   "the database is away; retry with the same event ids");
}

DeadLetter SetAside(const Submission& submission, const absl::Status& status, std::string reason,
                    int attempts) {
  const event::Envelope& envelope = submission.unit.events.front().envelope;
  return {.reason = std::move(reason),
          .detail = std::string(MessageOf(status)),
          .event_id = envelope.id,
          .event_type = envelope.type,
          .origin = *submission.origin,
          .attempts = attempts};
}

pg::Config PlannedOnce(pg::Config database) {
  for (auto& setting : eventlog::KeyedPlanSettings()) {
    database.settings.push_back(std::move(setting));
  }
  return database;
}

bool HasEvents(const Submission& submission) {
  return !submission.unit.events.empty();
}

}  // namespace

LogWriter::LogWriter(Options options, Clock& clock, Metrics& metrics, rpc::Health& health)
    : options_(std::move(options)),
      database_(PlannedOnce(options_.database)),
      clock_(clock),
      metrics_(metrics),
      health_(health),
      breaker_(clock, Backoff(absl::Milliseconds(100), absl::Seconds(5), RandomFraction)),
      thread_([this] { Run(); }) {}

LogWriter::~LogWriter() {
  {
    absl::MutexLock lock(&mutex_);
    closing_ = true;
  }
  thread_.join();
}

void LogWriter::Enqueue(Submission submission) {
  queued_bytes_ += submission.bytes;
  queue_.push_back(std::move(submission));
  CountQueued();
}

void LogWriter::CountQueued() {
  metrics_.queued_events.Set(static_cast<double>(queue_.size()));
}

void LogWriter::SubmitMessage(Submission submission) {
  absl::MutexLock lock(&mutex_);
  if (!closing_) Enqueue(std::move(submission));
}

absl::Status LogWriter::SubmitAppend(Submission submission) {
  absl::MutexLock lock(&mutex_);
  if (breaker_.state() != CircuitBreaker::State::kClosed) return refusal_;
  if (closing_) {
    return MakeError(absl::StatusCode::kUnavailable, "STOPPING", "this replica is stopping; retry");
  }
  if (queue_.size() >= options_.most_queued_appends ||
      queued_bytes_ >= options_.most_queued_append_bytes) {
    return MakeError(absl::StatusCode::kResourceExhausted, "BUSY", "too many appends wait; retry");
  }
  Enqueue(std::move(submission));
  return absl::OkStatus();
}

bool LogWriter::congested() const {
  absl::MutexLock lock(&mutex_);
  return queue_.size() > 4 * options_.batch_events || queued_bytes_ > 4 * options_.batch_bytes;
}

void LogWriter::Run() {
  for (;;) {
    Batch batch = TakeBatch();
    const bool idle = batch.empty();
    const bool stored = idle || Store(std::move(batch));
    {
      absl::MutexLock lock(&mutex_);
      if (closing_ && (queue_.empty() || !stored)) break;
    }
    if (idle) Idle();
  }
  RefuseQueued();
}

// Whoever still waits when the writer stops gets an answer; messages stay unacked.
void LogWriter::RefuseQueued() {
  absl::MutexLock lock(&mutex_);
  for (Submission& append : TakeAppends()) {
    std::move(append.done)(
        MakeError(absl::StatusCode::kUnavailable, "STOPPING", "this replica is stopping; retry"));
  }
  queue_.clear();
  queued_bytes_ = 0;
  CountQueued();
}

LogWriter::Batch LogWriter::TakeAppends() {
  const auto first =
      std::stable_partition(queue_.begin(), queue_.end(),
                            [](const Submission& submission) { return submission.from_bus(); });
  Batch appends(std::make_move_iterator(first), std::make_move_iterator(queue_.end()));
  queue_.erase(first, queue_.end());
  for (const Submission& append : appends) queued_bytes_ -= append.bytes;
  CountQueued();
  return appends;
}

// Redelivered messages make batches of their own.
LogWriter::Batch LogWriter::TakeBatch() {
  Batch batch;
  absl::MutexLock lock(&mutex_);
  // The first wait is short so that a fresh process reports the database's state at once.
  mutex_.AwaitWithTimeout(absl::Condition(this, &LogWriter::HasWork),
                          connection_ ? kIdle : absl::ZeroDuration());
  std::size_t events = 0;
  std::size_t bytes = 0;
  while (!queue_.empty() && events < options_.batch_events && bytes < options_.batch_bytes) {
    Submission& next = queue_.front();
    if (!batch.empty() && next.redelivered() != batch.front().redelivered()) break;
    events += std::max<std::size_t>(1, next.unit.events.size());
    bytes += next.bytes;
    queued_bytes_ -= next.bytes;
    batch.push_back(std::move(next));
    queue_.pop_front();
  }
  CountQueued();
  return batch;
}

// While there is nothing to store: is the database still there, or is there room again?
void LogWriter::Idle() {
  absl::Status status = EnsureConnected();
  if (status.ok()) status = failed_storing_ ? TryRoom() : connection_->Execute("SELECT 1");
  if (status.ok()) return;
  Batch nothing;
  WaitOutFault(nothing, status);
}

absl::Status LogWriter::EnsureConnected() {
  if (connection_ && !connection_->broken()) return absl::OkStatus();
  connection_.reset();
  auto opened = pg::Connection::Open(database_);
  if (!opened.ok()) return opened.status();
  const auto log_id = (*opened)->Query(kLogId);
  if (!log_id.ok()) {
    const std::string state = pg::SqlState(log_id.status());
    if (state == "42883" || state == "42P01") {
      return absl::FailedPreconditionError(StrCat(
          MessageOf(log_id.status()), "; the database lacks this version's schema: migrate it"));
    }
    return log_id.status();
  }
  connection_ = *std::move(opened);
  // It may be another log, restored from a backup.
  known_types_.clear();
  recent_.Clear();
  metrics_.database_connects.Increment();
  Log(LogLevel::kInfo, "connected to postgresql", {{"log_id", log_id->Id(0, 0).ToString()}});
  if (!failed_storing_) Serves();
  return absl::OkStatus();
}

absl::Status LogWriter::TryRoom() {
  absl::Status status = connection_->Execute(kTryRoom);
  if (status.ok()) Serves();
  return status;
}

void LogWriter::Serves() {
  failed_storing_ = false;
  breaker_.Succeeded();
  metrics_.breaker_open.Set(0);
  metrics_.database_full.Set(0);
  health_.Set("postgresql", true);
}

// False when the batch could not be stored because the writer stops.
bool LogWriter::Store(Batch batch) {
  FinishRecent(batch);
  if (batch.empty()) return true;
  for (;;) {
    absl::Status status = EnsureConnected();
    if (status.ok()) {
      status = batch.front().redelivered() ? StoreRedelivered(batch)
                                           : StoreRange(batch.data(), batch.data() + batch.size());
      if (FreeLog(status)) continue;
      // Duplicates alone have needed no room.
      if (status.ok() && failed_storing_) status = TryRoom();
      failed_storing_ |= !status.ok() && !connection_->broken();
    }
    if (status.ok()) return true;
    if (!WaitOutFault(batch, status)) return batch.empty();
  }
}

// Whether the batch failed for a stopped writer that held the log, and holds it no more.
bool LogWriter::FreeLog(const absl::Status& failure) {
  if (!eventlog::IsLockTimeout(failure)) return false;
  const auto ended = eventlog::EndStalledHolder(*connection_);
  if (!ended.ok() || !*ended) return false;
  Log(LogLevel::kWarning, "a writer that held the log without a sign of life was ended", {});
  return true;
}

void LogWriter::FinishRecent(Batch& batch) {
  for (Submission& submission : batch) {
    if (!submission.origin || submission.unit.events.size() != 1) continue;
    const sequence::NewEvent& event = submission.unit.events.front();
    const auto position = recent_.Find(event.envelope.id, event.digest);
    if (position) Finish(submission, {.placed = {{*position, true}}});
  }
  std::erase_if(batch, [](const Submission& submission) { return !submission.done; });
}

// Answers the appends, keeps the messages, and waits until another try may be made. False when
// there is nothing left to try, or the writer stops: what is unacked then will be delivered again.
bool LogWriter::WaitOutFault(Batch& batch, const absl::Status& fault) {
  const absl::Status refusal = Refusal(fault);
  Batch queued;
  {
    absl::MutexLock lock(&mutex_);
    refusal_ = refusal;
    breaker_.Failed();
    // They would wait for the messages that are kept, and nobody knows how long.
    queued = TakeAppends();
  }
  for (Submission& append : queued) std::move(append.done)(refusal);
  metrics_.breaker_open.Set(1);
  metrics_.database_full.Set(pg::IsDiskFull(fault) ? 1 : 0);
  health_.Set("postgresql", false, std::string(MessageOf(fault)));
  connection_.reset();
  recent_.Clear();  // what comes back may be a standby that has less
  for (Submission& submission : batch) {
    if (submission.done && !submission.from_bus()) {
      std::move(submission.done)(refusal);
      submission.done = nullptr;
    }
  }
  std::erase_if(batch, [](const Submission& submission) { return !submission.done; });
  const absl::Duration wait = breaker_.RetryAfter();
  Log(LogLevel::kWarning,
      pg::IsDiskFull(fault) ? "the database's disk is full" : "the database is away",
      {{"error", MessageOf(fault)},
       {"kept_messages", batch.size()},
       {"retry_in_ms", absl::ToInt64Milliseconds(wait)}});
  absl::MutexLock lock(&mutex_);
  const bool stopped = mutex_.AwaitWithTimeout(absl::Condition(&closing_), wait);
  breaker_.Allow();
  return !stopped && !batch.empty();
}

absl::Status LogWriter::StoreRange(Submission* begin, Submission* end) {
  if (begin == end) return absl::OkStatus();
  if (end - begin == 1) return StoreOne(*begin);
  absl::Status status = TryStore(begin, end);
  if (status.ok() || !pg::IsDataError(status)) return status;
  Submission* middle = begin + (end - begin) / 2;
  status = StoreRange(begin, middle);
  if (!status.ok()) return status;
  return StoreRange(middle, end);
}

absl::Status LogWriter::StoreOne(Submission& submission) {
  absl::Status status;
  for (int attempt = 1; attempt <= kMostAttempts; ++attempt) {
    status = TryStore(&submission, &submission + 1);
    if (status.ok() || !pg::IsDataError(status)) return status;
  }
  Log(LogLevel::kWarning, "an event can't be stored",
      {{"event_id",
        HasEvents(submission) ? submission.unit.events.front().envelope.id.ToString() : ""},
       {"error", MessageOf(status)}});
  if (submission.origin) {
    submission.dead_letter = SetAside(submission, status, "store_failed", kMostAttempts);
    submission.unit.events.clear();
    return TryStore(&submission, &submission + 1);
  }
  if (submission.dead_letter) return status;  // the dead letter's own row: not the message's fault
  Finish(submission, {.status = MakeError(absl::StatusCode::kInvalidArgument, "STORE_FAILED",
                                          "the database refuses the event's content")});
  return absl::OkStatus();
}

// What was stored before is done with at once; the rest is tried one by one.
absl::Status LogWriter::StoreRedelivered(Batch& batch) {
  std::vector<Uuid> ids;
  for (const Submission& submission : batch) {
    if (HasEvents(submission)) ids.push_back(submission.unit.events.front().envelope.id);
  }
  const auto stored = eventlog::FindStored(*connection_, ids);
  if (!stored.ok()) return stored.status();
  for (Submission& submission : batch) {
    if (!submission.done) continue;
    if (HasEvents(submission)) {
      const sequence::NewEvent& event = submission.unit.events.front();
      const auto before = stored->find(event.envelope.id);
      if (before != stored->end() && before->second.IsSameAs(event)) {
        Finish(submission, {.placed = {{before->second.position, true}}});
        continue;
      }
    }
    if (absl::Status status = StoreOne(submission); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status LogWriter::TryStore(Submission* begin, Submission* end) {
  const std::int64_t started = MonotonicNanos();
  std::vector<const Unit*> units;
  std::vector<Submission*> of_unit;
  std::vector<DeadLetter> decided;
  for (Submission* submission = begin; submission != end; ++submission) {
    if (!submission->done) continue;
    if (submission->dead_letter) {
      decided.push_back(*submission->dead_letter);
      decided.back().origin.redelivered |= submission->tried;
    } else {
      units.push_back(&submission->unit);
      of_unit.push_back(submission);
    }
  }
  const auto dead_letters = [&](const std::vector<Outcome>& outcomes) {
    std::vector<DeadLetter> letters = decided;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i].status.ok() || !of_unit[i]->origin) continue;
      letters.push_back(SetAside(*of_unit[i], outcomes[i].status, "id_conflict", 1));
      letters.back().origin.redelivered |= of_unit[i]->tried;
    }
    return letters;
  };
  failpoint::Reached("before_commit");
  auto stored = eventlog::Append(*connection_, units, dead_letters, known_types_);
  if (!stored.ok()) {
    // Whether a commit that got no answer has happened, nobody knows.
    const bool answered = pg::IsDataError(stored.status());
    for (Submission* submission = begin; submission != end; ++submission) {
      submission->tried |= !answered;
    }
    return stored.status();
  }

  if (failed_storing_ && (stored->new_events > 0 || stored->dead_letters > 0)) Serves();
  const double seconds = static_cast<double>(MonotonicNanos() - started) / 1e9;
  metrics_.batches.Increment();
  metrics_.batch_events.Observe(static_cast<double>(units.size()));
  metrics_.commit_seconds.Observe(seconds);
  Log(LogLevel::kInfo, "batch stored",
      {{"events", stored->new_events},
       {"duplicates", stored->duplicates},
       {"dead_letters", stored->dead_letters},
       {"seconds", seconds}});
  for (std::size_t i = 0; i < of_unit.size(); ++i) {
    Finish(*of_unit[i], std::move(stored->outcomes[i]));
  }
  for (Submission* submission = begin; submission != end; ++submission) {
    if (submission->done) Finish(*submission, {});
  }
  return absl::OkStatus();
}

void LogWriter::Finish(Submission& submission, Outcome outcome) {
  metrics_.ingest_seconds.Observe(
      static_cast<double>(MonotonicNanos() - submission.received_nanos) / 1e9);
  if (submission.dead_letter) metrics_.DeadLetters(submission.dead_letter->reason).Increment();
  if (!outcome.status.ok() && submission.origin) metrics_.DeadLetters("id_conflict").Increment();
  for (std::size_t i = 0; i < outcome.placed.size(); ++i) {
    const sequence::Placed& placed = outcome.placed[i];
    const sequence::NewEvent& event = submission.unit.events[i];
    // A duplicate without a time of its own has another digest than what is stored.
    if (!placed.duplicate || !event.time_is_ours) {
      recent_.Add(event.envelope.id, event.digest, placed.position);
    }
    if (placed.duplicate) {
      metrics_.duplicates.Increment();
    } else {
      (submission.from_bus() ? metrics_.stored_from_bus : metrics_.stored_by_append).Increment();
      metrics_.head_position.Set(static_cast<double>(placed.position));
    }
    if (LogEnabled(LogLevel::kDebug)) {
      const event::Envelope& envelope = event.envelope;
      Log(LogLevel::kDebug, placed.duplicate ? "duplicate" : "event stored",
          {{"event_id", envelope.id.ToString()},
           {"event_type", envelope.type},
           {"position", placed.position}});
    }
  }
  if (submission.from_bus() || outcome.status.ok()) {
    std::move(submission.done)(std::move(outcome));
  } else {
    std::move(submission.done)(outcome.status);
  }
  submission.done = nullptr;
}

}  // namespace god33::manager
