#include "services/event-store-manager/refold.h"

#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "pg/error.h"
#include "services/event-store-manager/fold_step.h"
#include "services/event-store-manager/follower.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

using eventlog::CursorLease;

constexpr FoldBounds kBounds = {.positions = 2000, .items = 2000};
constexpr absl::Duration kAgainAfter = absl::Seconds(2);

// Reading a sample of large tables takes longer than a lease lasts.
constexpr absl::Duration kAnalyzeLease = absl::Seconds(30);

constexpr pg::Statement kEmpty = {"empty_shadow_projections", "SELECT empty_shadow_projections()"};
constexpr pg::Statement kAnalyze = {"analyze_shadow_projections",
                                    "SELECT analyze_shadow_projections()"};
constexpr pg::Statement kSwap = {"swap_projections", "SELECT swap_projections()"};

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

// A transaction that only the holder of the lease can commit; it prolongs the lease.
absl::StatusOr<pg::Transaction> BeginFenced(pg::Connection& connection, const CursorLease& lease,
                                            absl::Duration ttl = Follower::kLease) {
  auto transaction = pg::Transaction::Begin(connection);
  if (!transaction.ok()) return transaction.status();
  absl::Status status = eventlog::MoveCursor(connection, lease, lease.position, lease.within, ttl);
  if (!status.ok()) return status;
  return transaction;
}

absl::Status SaveFenced(pg::Connection& connection, const CursorLease& lease,
                        const ProjectionJob& job) {
  auto transaction = BeginFenced(connection, lease);
  if (!transaction.ok()) return transaction.status();
  if (absl::Status status = ProjectionJobs(connection).Save(job); !status.ok()) return status;
  return std::move(*transaction).Commit();
}

// The one aggregate that a job is about, as if it had been frozen before its first event.
ProjectionStore::Failure FromNothing(const ProjectionScope& scope) {
  return {.projection = scope.workflow ? "workflow" : "session",
          .aggregate = scope.workflow ? *scope.workflow : *scope.session,
          .attempts = 0};
}

bool StandsWith(const ProjectionJob& job, const CursorLease& lease) {
  return job.cursor == FoldCursor{.position = lease.position};
}

}  // namespace

Refold::Refold(pg::Config database, Metrics& metrics)
    : database_(ShadowSession(std::move(database))),
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
  } else if (!StandsWith(job, lease)) {
    status = job.scope.all() ? Fold(lease, job) : FoldOne(lease, job);
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
  if (!job.scope.all()) {
    absl::Status status =
        ProjectionStore(*connection_).Freeze(FromNothing(job.scope), absl::ZeroDuration());
    if (!status.ok()) return status;
  }
  job.phase = "folding";
  job.cursor = {};
  job.target = lease.position;
  if (absl::Status status = ProjectionJobs(*connection_).Save(job); !status.ok()) return status;
  return std::move(*transaction).Commit();
}

absl::Status Refold::Fold(const CursorLease& lease, ProjectionJob& job) {
  auto transaction = BeginFenced(*connection_, lease);
  if (!transaction.ok()) return transaction.status();
  const auto progress = FoldStep(*connection_, job.cursor, lease.position, kBounds);
  if (!progress.ok()) return progress.status();
  job.cursor = progress->cursor;
  job.folded += progress->folded;
  job.target = lease.position;
  job.error.clear();
  if (job.phase == "comparing") job.phase = "folding";  // begun by a holder who is gone
  if (absl::Status status = ProjectionJobs(*connection_).Save(job); !status.ok()) return status;
  metrics_.refolded.Increment(static_cast<double>(progress->folded));
  return std::move(*transaction).Commit();
}

absl::Status Refold::FoldOne(const CursorLease& lease, ProjectionJob& job) {
  auto transaction = BeginFenced(*connection_, lease);
  if (!transaction.ok()) return transaction.status();
  const ProjectionStore::Failure begun = FromNothing(job.scope);
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
  auto transaction = BeginFenced(*connection_, lease, rebuild ? kAnalyzeLease : Follower::kLease);
  if (!transaction.ok()) return transaction.status();
  ProjectionJobs jobs(*connection_);
  job.counts = diff.counts();
  job.error.clear();
  job.phase = rebuild ? "swapping" : job.phase;
  job.state = rebuild ? job.state : "completed";
  status = jobs.Save(job);
  if (status.ok()) status = jobs.AddDifferences(job.id, diff.found());
  if (status.ok() && rebuild) status = connection_->Query(kAnalyze).status();
  if (status.ok()) status = std::move(*transaction).Commit();
  if (!status.ok()) return status;
  Log(LogLevel::kInfo, "projections were compared",
      {{"job_id", job.id.ToString()},
       {"checked", diff.counts().checked},
       {"differing", diff.counts().differing()}});
  return true;
}

absl::StatusOr<bool> Refold::Swap(const CursorLease& lease, ProjectionJob& job) {
  const std::int64_t began = MonotonicNanos();
  absl::Status status = connection_->Execute("SET synchronous_commit = on");
  if (!status.ok()) return status;
  {
    auto transaction = BeginFenced(*connection_, lease);
    if (!transaction.ok()) return transaction.status();
    // Before the readers have to wait: the row is ours, unless the job has been cancelled.
    ProjectionJobs jobs(*connection_);
    status = jobs.Save(job);
    if (!status.ok()) return status;
    const auto swapped = connection_->Query(kSwap);
    status = swapped.status();
    if (status.ok()) {
      job.state = "completed";
      job.error.clear();
      job.generation = swapped->Int8(0, 0);
      status = jobs.Save(job);
      if (status.ok()) status = std::move(*transaction).Commit();
      if (!status.ok()) return status;
      const double seconds = static_cast<double>(MonotonicNanos() - began) / 1e9;
      metrics_.swap_seconds.Observe(seconds);
      Log(LogLevel::kInfo, "rebuilt projections took the place of the old ones",
          {{"job_id", job.id.ToString()},
           {"generation", *job.generation},
           {"position", lease.position},
           {"seconds", seconds}});
      return true;
    }
  }
  if (pg::SqlState(status) != "55P03") return status;
  // Readers were in the way. They come first, and the live projections go on meanwhile.
  ++job.swap_attempts;
  job.error = StrCat("waits for a moment between long queries to swap (tried ", job.swap_attempts,
                     job.swap_attempts == 1 ? " time)" : " times)");
  status = SaveFenced(*connection_, lease, job);
  if (!status.ok()) return status;
  PauseFor(swap_backoff_.Next());
  return false;
}

}  // namespace god33::manager
