#include "services/event-store-manager/refold.h"

#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "eventlog/horizon.h"
#include "pg/error.h"
#include "services/event-store-manager/fold_step.h"
#include "services/event-store-manager/follower.h"
#include "services/event-store-manager/retention_plan.h"
#include "services/event-store-manager/snapshot.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

using eventlog::CursorLease;

constexpr FoldBounds kBounds = {.positions = 2000, .items = 2000};
constexpr absl::Duration kAgainAfter = absl::Seconds(2);

// Then it is given up for ten minutes (retention.cc), so that others may work on the projections.
constexpr int kMostDropAttempts = 30;

constexpr pg::Statement kEmpty = {"empty_shadow_projections", "SELECT empty_shadow_projections()"};
constexpr pg::Statement kAnalyze = {"analyze_shadow_projections",
                                    "SELECT analyze_shadow_projections()"};
constexpr pg::Statement kSwap = {"swap_projections", "SELECT swap_projections()"};
constexpr pg::Statement kDrop = {"drop_event_month",
                                 "SELECT drop_event_month($1::timestamptz, $2::integer, $3::uuid)"};

// The same names mean the twins. What is written can be folded again: it need not reach the disk at once,
// and is on it before the swap is.
pg::Config ShadowSession(pg::Config database) {
  database.application_name += " shadow";
  database.settings = {{"search_path", "shadow,public"},
                       {"TimeZone", "UTC"},
                       {"jit", "off"},
                       // Plans are made while the twins are empty, and kept while they grow.
                       {"enable_seqscan", "off"},
                       {"lock_timeout", "2s"},
                       {"statement_timeout", "30s"},
                       {"idle_in_transaction_session_timeout", "60s"},
                       {"synchronous_commit", "off"}};
  return database;
}

absl::Status Prolong(pg::Connection& connection, const CursorLease& lease) {
  return eventlog::MoveCursor(connection, lease, lease.position, lease.within, Follower::kLease);
}

// A transaction that only the holder of the lease can commit; it prolongs the lease. While it lasts, nobody
// takes the cursor, since it holds the row.
absl::StatusOr<pg::Transaction> BeginFenced(pg::Connection& connection, const CursorLease& lease) {
  auto transaction = pg::Transaction::Begin(connection);
  if (!transaction.ok()) return transaction.status();
  if (absl::Status status = Prolong(connection, lease); !status.ok()) return status;
  return transaction;
}

// Commits a fenced transaction that may have taken longer than a lease lasts: reading a sample of large tables
// does, and so does looking for the events of a month that are retained. Who waits for the row finds the lease
// prolonged.
absl::Status CommitLong(pg::Connection& connection, const CursorLease& lease,
                        pg::Transaction transaction) {
  if (absl::Status status = Prolong(connection, lease); !status.ok()) return status;
  return std::move(transaction).Commit();
}

absl::Status SaveFenced(pg::Connection& connection, const CursorLease& lease,
                        const ProjectionJob& job) {
  auto transaction = BeginFenced(connection, lease);
  if (!transaction.ok()) return transaction.status();
  if (absl::Status status = ProjectionJobs(connection).Save(job); !status.ok()) return status;
  return std::move(*transaction).Commit();
}

// The one aggregate that a job is about, as if it had been frozen at its first event from `first` on.
ProjectionStore::Failure FrozenAt(std::int64_t first, const ProjectionScope& scope) {
  return {.projection = scope.workflow ? "workflow" : "session",
          .aggregate = scope.workflow ? *scope.workflow : *scope.session,
          .since = first,
          .position = first,
          .attempts = 0};
}

double SecondsSince(std::int64_t began) {
  return static_cast<double>(MonotonicNanos() - began) / 1e9;
}

bool StandsWith(const ProjectionJob& job, const CursorLease& lease) {
  return job.cursor == FoldCursor{.position = lease.position};
}

}  // namespace

Refold::Refold(pg::Config database, int retention_months, Metrics& metrics)
    : database_(ShadowSession(std::move(database))),
      retention_months_(retention_months),
      metrics_(metrics),
      swap_backoff_(absl::Milliseconds(100), absl::Seconds(5), RandomFraction) {}

void Refold::Drop() {
  diff_.reset();
  connection_.reset();
  job_.reset();
}

void Refold::PauseFor(absl::Duration pause) {
  not_before_ = MonotonicNanos() + absl::ToInt64Nanoseconds(pause);
}

absl::StatusOr<bool> Refold::Slice(pg::Connection& live, const CursorLease& lease) {
  auto running = ProjectionJobs(live).Running();
  if (!running.ok()) return running.status();
  metrics_.projection_job_running.Set(*running ? 1 : 0);
  if (!*running) return Tidy(live, lease);
  if (MonotonicNanos() < not_before_) return false;
  ProjectionJob& job = **running;
  if (job_ != job.id || epoch_ != lease.epoch) {
    Drop();
    job_ = job.id;
    epoch_ = lease.epoch;
    swap_backoff_.Reset();
    Log(LogLevel::kInfo, "working on a job on the projections",
        {{"job_id", job.id.ToString()}, {"kind", job.kind}, {"position", job.cursor.position}});
  }
  tidy_ = false;
  const auto more = Work(live, lease, job);
  if (lease.position > 0) {
    metrics_.projection_job_progress.Set(static_cast<double>(job.cursor.position) /
                                         static_cast<double>(lease.position));
  }
  if (more.ok()) return more;
  if (absl::Status status = Ended(more.status(), live, job); !status.ok()) return status;
  return false;
}

// The twins' rows are of no use any more.
absl::StatusOr<bool> Refold::Tidy(pg::Connection& live, const CursorLease& lease) {
  if (tidy_) return false;
  Drop();
  metrics_.projection_job_progress.Set(0);
  auto transaction = BeginFenced(live, lease);
  if (!transaction.ok()) return transaction.status();
  if (const auto emptied = live.Query(kEmpty); !emptied.ok()) return emptied.status();
  if (absl::Status status = std::move(*transaction).Commit(); !status.ok()) return status;
  tidy_ = true;
  return false;
}

// What becomes of a job whose step has failed.
absl::Status Refold::Ended(const absl::Status& status, pg::Connection& live,
                           const ProjectionJob& job) {
  Drop();
  const std::string reason = ReasonOf(status);
  if (reason == "LEASE_LOST") return status;
  if (reason == "PROJECTION_JOB_ENDED") return absl::OkStatus();
  const bool transient = pg::IsTransient(status);
  Log(LogLevel::kWarning,
      transient ? "a job on the projections waits" : "a job on the projections failed",
      {{"job_id", job.id.ToString()}, {"error", MessageOf(status)}});
  if (transient) PauseFor(kAgainAfter);
  return ProjectionJobs(live).Note(job.id, std::string(MessageOf(status)), !transient);
}

absl::StatusOr<bool> Refold::Work(pg::Connection& live, const CursorLease& lease,
                                  ProjectionJob& job) {
  if (!connection_) {
    auto opened = pg::Connection::Open(database_);
    if (!opened.ok()) return opened.status();
    connection_ = *std::move(opened);
  }
  const std::int64_t end = MonotonicNanos() + absl::ToInt64Nanoseconds(kSlice);
  while (MonotonicNanos() < end && job.state == "running") {
    const auto more = Step(live, lease, job);
    if (!more.ok() || !*more) return more;
  }
  if (diff_) {
    job.counts = diff_->counts();
    if (absl::Status status = SaveFenced(live, lease, job); !status.ok()) return status;
  }
  return true;
}

absl::StatusOr<bool> Refold::Step(pg::Connection& live, const CursorLease& lease,
                                  ProjectionJob& job) {
  if (diff_) return Compare(lease, job);
  absl::Status status;
  if (job.phase == "waiting") {
    status = Begin(lease, job);
  } else if (job.phase == "seeding") {
    status = Seed(lease, job);
  } else if (job.kind == "snapshot") {
    return StepSnapshot(lease, job);
  } else if (!StandsWith(job, lease)) {
    status = job.scope.all() ? Fold(lease, lease.position, job) : FoldOne(lease, job);
  } else if (lease.within != 0) {
    return false;  // the live ones stand inside a position
  } else if (job.phase == "swapping") {
    return Swap(lease, job);
  } else {
    // An aggregate that is being thawed stands between two positions.
    const auto thawing = ProjectionStore(live).NextRetry();
    if (!thawing.ok()) return thawing.status();
    if (*thawing) return false;
    status = BeginComparing(lease, job);
  }
  if (!status.ok()) return status;
  return true;
}

absl::Status Refold::Begin(const CursorLease& lease, ProjectionJob& job) {
  auto transaction = BeginFenced(*connection_, lease);
  if (!transaction.ok()) return transaction.status();
  if (const auto emptied = connection_->Query(kEmpty); !emptied.ok()) return emptied.status();
  const auto horizon = eventlog::ReadHorizon(*connection_);
  if (!horizon.ok()) return horizon.status();
  absl::Status status;
  if (!job.scope.all()) {
    status = SeedOne(*connection_, job.scope);
    if (status.ok()) {
      status =
          ProjectionStore(*connection_).Freeze(FrozenAt(*horizon, job.scope), absl::ZeroDuration());
    }
    if (!status.ok()) return status;
  }
  job.phase = job.scope.all() && *horizon > 1 ? "seeding" : "folding";
  job.cursor = {.position = *horizon - 1};
  if (job.kind != "snapshot") job.target = lease.position;
  status = ProjectionJobs(*connection_).Save(job);
  if (!status.ok()) return status;
  return std::move(*transaction).Commit();
}

absl::Status Refold::Seed(const CursorLease& lease, ProjectionJob& job) {
  auto transaction = BeginFenced(*connection_, lease);
  if (!transaction.ok()) return transaction.status();
  const auto more = SeedStep(*connection_);
  if (!more.ok()) return more.status();
  if (!*more) job.phase = "folding";
  if (absl::Status status = ProjectionJobs(*connection_).Save(job); !status.ok()) return status;
  return std::move(*transaction).Commit();
}

absl::Status Refold::Fold(const CursorLease& lease, std::int64_t up_to, ProjectionJob& job) {
  auto transaction = BeginFenced(*connection_, lease);
  if (!transaction.ok()) return transaction.status();
  const auto progress = FoldStep(*connection_, job.cursor, up_to, kBounds);
  if (!progress.ok()) return progress.status();
  job.cursor = progress->cursor;
  job.folded += progress->folded;
  job.target = up_to;
  job.error.clear();
  if (job.phase == "comparing") job.phase = "folding";  // begun by a holder who is gone
  if (absl::Status status = ProjectionJobs(*connection_).Save(job); !status.ok()) return status;
  metrics_.refolded.Increment(static_cast<double>(progress->folded));
  return std::move(*transaction).Commit();
}

absl::Status Refold::FoldOne(const CursorLease& lease, ProjectionJob& job) {
  auto transaction = BeginFenced(*connection_, lease);
  if (!transaction.ok()) return transaction.status();
  const ProjectionStore::Failure begun = FrozenAt(0, job.scope);
  const auto frozen =
      ProjectionStore(*connection_).FrozenAmong(begun.projection, {begun.aggregate});
  if (!frozen.ok()) return frozen.status();
  if (frozen->empty() || frozen->front().attempts > 0) {
    // Folded to its end, and the live ones have gone on since: once more.
    job.phase = "waiting";
    return absl::OkStatus();
  }
  const auto progress = ThawStep(*connection_, frozen->front(), lease.position);
  if (!progress.ok()) return progress.status();
  job.folded += progress->folded;
  job.target = lease.position;
  job.error.clear();
  if (!progress->more) job.cursor = {.position = lease.position};
  if (absl::Status status = ProjectionJobs(*connection_).Save(job); !status.ok()) return status;
  metrics_.refolded.Increment(static_cast<double>(progress->folded));
  return std::move(*transaction).Commit();
}

absl::Status Refold::BeginComparing(const CursorLease& lease, ProjectionJob& job) {
  job.phase = "comparing";
  job.compared_at = lease.position;
  job.target = lease.position;
  job.counts = {};
  if (absl::Status status = SaveFenced(*connection_, lease, job); !status.ok()) return status;
  auto diff = ProjectionDiff::Begin(*connection_, job.scope);
  if (!diff.ok()) return diff.status();
  diff_ = *std::move(diff);
  return absl::OkStatus();
}

absl::StatusOr<bool> Refold::Compare(const CursorLease& lease, ProjectionJob& job) {
  const auto more = diff_->Next();
  if (!more.ok() || *more) return more;
  ProjectionDiff diff = *std::exchange(diff_, std::nullopt);
  absl::Status status = diff.End();
  if (!status.ok()) return status;

  const bool rebuild = job.kind == "rebuild";
  auto transaction = BeginFenced(*connection_, lease);
  if (!transaction.ok()) return transaction.status();
  ProjectionJobs jobs(*connection_);
  job.counts = diff.counts();
  job.error.clear();
  job.phase = rebuild ? "swapping" : job.phase;
  job.state = rebuild ? job.state : "completed";
  status = jobs.Save(job);
  if (status.ok()) status = jobs.AddDifferences(job.id, diff.found());
  if (status.ok() && rebuild) status = connection_->Query(kAnalyze).status();
  if (status.ok()) status = CommitLong(*connection_, lease, *std::move(transaction));
  if (!status.ok()) return status;
  Log(LogLevel::kInfo, "projections were compared",
      {{"job_id", job.id.ToString()},
       {"checked", diff.counts().checked},
       {"differing", diff.counts().differing()}});
  return true;
}

absl::StatusOr<std::optional<std::int64_t>> Refold::Finish(const CursorLease& lease,
                                                           const Exchange& exchange,
                                                           const pg::Params& params,
                                                           ProjectionJob& job) {
  absl::Status status = connection_->Execute("SET synchronous_commit = on");
  if (!status.ok()) return status;
  {
    auto transaction = BeginFenced(*connection_, lease);
    if (!transaction.ok()) return transaction.status();
    // Before the readers have to wait: the row is ours, unless the job has been cancelled.
    ProjectionJobs jobs(*connection_);
    status = jobs.Save(job);
    if (!status.ok()) return status;
    const auto done = connection_->Query(exchange.statement, params);
    status = done.status();
    if (status.ok()) {
      ProjectionJob ended = job;
      ended.state = "completed";
      ended.error.clear();
      if (job.kind == "rebuild") ended.generation = done->Int8(0, 0);
      status = jobs.Save(ended);
      if (status.ok()) status = CommitLong(*connection_, lease, *std::move(transaction));
      if (!status.ok()) return status;
      job = std::move(ended);
      return done->Int8(0, 0);
    }
  }
  if (pg::SqlState(status) != "55P03") return status;
  // Readers were in the way. They come first, and the live projections go on meanwhile.
  ++job.swap_attempts;
  job.error = StrCat("waits for a moment between long queries to ", exchange.what, " (tried ",
                     job.swap_attempts, job.swap_attempts == 1 ? " time)" : " times)");
  status = SaveFenced(*connection_, lease, job);
  if (!status.ok()) return status;
  PauseFor(swap_backoff_.Next());
  return std::nullopt;
}

absl::StatusOr<bool> Refold::Swap(const CursorLease& lease, ProjectionJob& job) {
  const std::int64_t began = MonotonicNanos();
  const auto generation = Finish(lease, {.statement = kSwap, .what = "swap"}, {}, job);
  if (!generation.ok()) return generation.status();
  if (!*generation) return false;
  const double seconds = SecondsSince(began);
  metrics_.swap_seconds.Observe(seconds);
  Log(LogLevel::kInfo, "rebuilt projections took the place of the old ones",
      {{"job_id", job.id.ToString()},
       {"generation", **generation},
       {"position", lease.position},
       {"seconds", seconds}});
  return true;
}

absl::StatusOr<bool> Refold::StepSnapshot(const CursorLease& lease, ProjectionJob& job) {
  if (retention_months_ == 0) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "RETENTION_OFF",
                     "the manager that would carry it out is configured to keep all months");
  }
  if (job.cursor == FoldCursor{.position = job.target}) return DropMonth(lease, job);
  absl::Status status = Fold(lease, job.target, job);
  if (!status.ok()) return status;
  return true;
}

absl::StatusOr<bool> Refold::DropMonth(const CursorLease& lease, ProjectionJob& job) {
  if (job.swap_attempts == kMostDropAttempts) {
    return MakeError(absl::StatusCode::kAborted, "LOG_BUSY",
                     StrCat("long queries, e.g. a pg_dump, were in the way ", job.swap_attempts,
                            " times; it is tried again later"));
  }
  const std::int64_t began = MonotonicNanos();
  job.phase = "dropping";
  const pg::Params params =
      std::move(pg::Params().Time(*job.month).Int4(retention_months_).Id(job.id));
  const auto dropped = Finish(lease, {.statement = kDrop, .what = "drop the month"}, params, job);
  if (!dropped.ok()) return dropped.status();
  if (!*dropped) return false;
  const double seconds = SecondsSince(began);
  metrics_.months_dropped.Increment();
  metrics_.drop_seconds.Observe(seconds);
  metrics_.horizon_position.Set(static_cast<double>(**dropped + 1));
  Log(LogLevel::kInfo, "dropped a month of the log",
      {{"month", MonthText(*job.month)},
       {"last_position", **dropped},
       {"job_id", job.id.ToString()},
       {"seconds", seconds}});
  return true;
}

}  // namespace god33::manager
