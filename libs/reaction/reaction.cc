#include "reaction/reaction.h"

#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "eventlog/append.h"
#include "eventlog/stalled_holder.h"
#include "reaction/fault.h"
#include "telemetry/log.h"

namespace god33::reaction {
namespace {

constexpr int kMostTries = 3;

// How often the connection may be lost over one event before it is the event's fault. Waits between these tries grow,
// and only those count that began on a good connection.
constexpr int kMostLost = 6;

void LogEvent(LogLevel level, std::string_view message, const Incoming& incoming,
              std::string_view error) {
  const event::Envelope& envelope = incoming.event.envelope;
  Log(level, message,
      {{"event_id", envelope.id.ToString()}, {"event_type", envelope.type}, {"error", error}});
}

}  // namespace

Reaction::Reaction(const Options& options, const Journal& journal, Handler& handler,
                   Metrics& metrics, const TellHealth& tell_health)
    : options_(options),
      journal_(journal),
      handler_(handler),
      metrics_(metrics),
      tell_health_(tell_health) {}

absl::StatusOr<Disposition> Reaction::React(Task& task) {
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<Disposition> done = ConnectAndTry(task);
  NoteDatabase(done.status());
  if (!done.ok()) return done;
  switch (*done) {
    case Disposition::kHandled:
      metrics_.handled.Increment();
      handler_.Committed(task.incoming);
      break;
    case Disposition::kDuplicate:
      metrics_.duplicates.Increment();
      break;
    case Disposition::kIdConflict:
      metrics_.id_conflicts.Increment();
      LogEvent(LogLevel::kWarning, "not reacting to an event whose id is taken", task.incoming,
               "ID_CONFLICT");
      break;
    case Disposition::kFailed:
      metrics_.failed.Increment();
      break;
  }
  return done;
}

absl::StatusOr<Disposition> Reaction::ConnectAndTry(Task& task) {
  if (absl::Status status = EnsureConnected(); !status.ok()) return status;
  const Uuid& id = task.incoming.event.envelope.id;
  for (int tries = 1;; ++tries) {
    const auto done = Try(task);
    if (done.ok()) {
      lost_.erase(id);
      return done;
    }
    metrics_.retries.Increment();
    LogEvent(LogLevel::kWarning, "reacting to an event failed", task.incoming,
             MessageOf(done.status()));
    if (connection_->broken() || absl::IsDeadlineExceeded(done.status())) {
      return Lost(task, done.status());
    }
    switch (FaultOf(done.status())) {
      case Fault::kDatabase:
        return done;
      case Fault::kRace:
        FreeLog(done.status());
        if (tries >= kMostTries) return done;
        break;
      case Fault::kOwn:
        if (tries >= kMostTries) return Record(task, done.status());
    }
  }
}

// The database has not answered; or it never does when this event is handled, while it does otherwise.
absl::StatusOr<Disposition> Reaction::Lost(const Task& task, const absl::Status& failure) {
  const Uuid& id = task.incoming.event.envelope.id;
  const absl::Status unavailable = absl::UnavailableError(ToAbsl(MessageOf(failure)));
  if (++lost_[id] < kMostLost) return unavailable;
  if (absl::Status status = EnsureConnected(); !status.ok()) return status;
  auto done = Record(task, unavailable);
  if (done.ok()) lost_.erase(id);
  return done;
}

absl::StatusOr<Disposition> Reaction::Try(Task& task) {
  const std::int64_t begun = MonotonicNanos();
  auto transaction = pg::Transaction::Begin(*connection_);
  if (!transaction.ok()) return transaction.status();
  const sequence::NewEvent& event = task.incoming.event;
  if (task.origin == Origin::kFailures) {
    const auto taken = journal_.TakeFailure(*connection_, event.envelope.id);
    if (!taken.ok()) return taken.status();
    if (!*taken) return task.in_doubt ? Disposition::kHandled : Disposition::kDuplicate;
  } else {
    const auto standing = journal_.Mark(*connection_, event.envelope.id);
    if (!standing.ok()) return standing.status();
    if (standing->handled) return task.in_doubt ? Disposition::kHandled : Disposition::kDuplicate;
    // What was read from the log is what is stored, and may have a time that it came without.
    const bool conflict =
        task.origin == Origin::kBus && standing->position && standing->digest != event.digest;
    if (conflict) return Disposition::kIdConflict;
    task.incoming.position = standing->position;
  }
  const auto decision = handler_.React(*connection_, task.incoming);
  if (!decision.ok()) return decision.status();
  auto done = Store(task, *std::move(transaction), *decision);
  metrics_.seconds.Observe(static_cast<double>(MonotonicNanos() - begun) / 1e9);
  return done;
}

absl::StatusOr<Disposition> Reaction::Store(Task& task, pg::Transaction transaction,
                                            const sequence::Unit& decision) {
  sequence::Unit cause;
  std::vector<const sequence::Unit*> units;
  const bool new_to_log = !task.incoming.position;
  if (new_to_log) {
    cause.events.push_back(task.incoming.event);
    units.push_back(&cause);
  }
  if (!decision.events.empty()) units.push_back(&decision);
  if (!units.empty()) {
    const auto stored = eventlog::AppendInTransaction(*connection_, units);
    if (!stored.ok()) return stored.status();
    const sequence::Outcome& first = stored->outcomes.front();
    // The log has got another event with this id meanwhile.
    if (new_to_log && !first.status.ok()) return Disposition::kIdConflict;
    const absl::Status& decided = stored->outcomes.back().status;
    if (!decided.ok()) return decided;
  }
  absl::Status status = std::move(transaction).Commit();
  task.in_doubt = !status.ok() && connection_->broken();
  if (!status.ok()) return status;
  return Disposition::kHandled;
}

absl::StatusOr<Disposition> Reaction::Record(const Task& task, const absl::Status& failure) {
  auto transaction = pg::Transaction::Begin(*connection_);
  if (!transaction.ok()) return transaction.status();
  const Uuid& id = task.incoming.event.envelope.id;
  if (task.origin == Origin::kFailures) {
    // Locks the row, or finds that another replica has handled the event.
    const auto taken = journal_.TakeFailure(*connection_, id);
    if (!taken.ok()) return taken.status();
    if (!*taken) return Disposition::kDuplicate;
  } else {
    const auto standing = journal_.Mark(*connection_, id);
    if (!standing.ok()) return standing.status();
    if (standing->handled) return Disposition::kDuplicate;
  }
  absl::Status status = journal_.RecordFailure(*connection_, task.incoming, failure);
  if (status.ok()) status = std::move(*transaction).Commit();
  if (!status.ok()) return status;
  LogEvent(LogLevel::kError, "an event can't be handled; it is recorded in reaction_failures",
           task.incoming, MessageOf(failure));
  TellFailures().IgnoreError();  // Look will
  return Disposition::kFailed;
}

void Reaction::Look() {
  absl::MutexLock lock(&mutex_);
  absl::Status status = EnsureConnected();
  if (status.ok()) status = TellFailures();
  NoteDatabase(status);
}

absl::Status Reaction::EnsureConnected() {
  if (connection_ && !connection_->broken()) return absl::OkStatus();
  connection_.reset();
  auto opened = pg::Connection::Open(options_.database);
  if (!opened.ok()) return opened.status();
  absl::Status status = journal_.Register(**opened, options_.from_beginning);
  if (status.ok()) connection_ = *std::move(opened);
  return status;
}

absl::Status Reaction::TellFailures() {
  const auto failures = journal_.CountFailures(*connection_);
  if (!failures.ok()) return failures.status();
  metrics_.failures.Set(static_cast<double>(failures->count));
  tell_health_(
      "reactions", failures->count == 0,
      StrCat(failures->count, " events could not be handled, the newest: ", failures->newest));
  return absl::OkStatus();
}

// A writer that stopped while it held the log keeps nobody waiting.
void Reaction::FreeLog(const absl::Status& failure) {
  if (!eventlog::IsLockTimeout(failure)) return;
  const auto ended = eventlog::EndStalledHolder(*connection_);
  if (ended.ok() && *ended) {
    Log(LogLevel::kWarning, "a writer that held the log without a sign of life was ended", {});
  }
}

void Reaction::NoteDatabase(const absl::Status& status) {
  const bool race = !status.ok() && FaultOf(status) == Fault::kRace;
  if (status.ok() || race) {
    tell_health_("postgresql", true, "");
    return;
  }
  tell_health_("postgresql", false, std::string(MessageOf(status)));
  connection_.reset();
}

}  // namespace god33::reaction
