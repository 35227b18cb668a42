#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/uuid.h"
#include "pg/connection.h"
#include "services/event-store-manager/fold_step.h"
#include "services/event-store-manager/projection_diff.h"
#include "services/event-store-manager/projection_store.h"

namespace god33::manager {

// A rebuild, a verification or a snapshot as it stands in its table.
struct ProjectionJob {
  Uuid id;
  std::string kind;   // rebuild, verify, snapshot
  std::string state;  // running, completed, cancelled, failed
  std::string phase;  // waiting, seeding, folding, comparing, swapping, dropping
  std::string requested_by;
  ProjectionScope scope;
  FoldCursor cursor;        // of the shadow tables
  std::int64_t target = 0;  // where the live projections were then; of a snapshot, where it ends
  std::int64_t folded = 0;
  std::optional<std::int64_t> compared_at;  // a position
  DifferenceCounts counts;
  int swap_attempts = 0;
  std::optional<std::int64_t> generation;  // that a rebuild has made
  std::optional<absl::Time> month;         // that goes after a snapshot
  std::string error;
  absl::Time created_at;
  absl::Time updated_at;
  std::optional<absl::Time> ended_at;
};

// Where the live projections are.
struct ProjectionStatus {
  std::int64_t position = 0;
  std::int64_t head = 0;
  std::int64_t generation = 0;
  std::int64_t frozen = 0;
  std::vector<ProjectionStore::Failure> failures;  // the oldest of the frozen
};

// Jobs on the projections. Statements of one connection; one thread.
class ProjectionJobs {
 public:
  explicit ProjectionJobs(pg::Connection& connection) : connection_(connection) {}

  // ABORTED (PROJECTION_JOB_RUNNING) while another one runs: one at a time.
  absl::Status Insert(const ProjectionJob& job);

  absl::StatusOr<std::optional<ProjectionJob>> Running();
  absl::StatusOr<std::optional<ProjectionJob>> Find(const Uuid& id);
  absl::StatusOr<std::optional<ProjectionJob>> NewestSnapshot();
  absl::StatusOr<std::vector<ProjectionJob>> List(const std::string& state, int limit);
  absl::StatusOr<std::vector<ProjectionDifference>> Differences(const Uuid& id);
  absl::StatusOr<ProjectionStatus> Status(int most_failures);

  // Whether the log or the live projections have that workflow or session.
  absl::StatusOr<bool> IsThere(const ProjectionScope& scope);

  // Ends it if it runs.
  absl::Status Cancel(const Uuid& id);

  // For who carries it out, in a transaction that is fenced by the projector's lease. CANCELLED
  // (PROJECTION_JOB_ENDED) if somebody has ended it.
  absl::Status Save(const ProjectionJob& job);
  absl::Status AddDifferences(const Uuid& id, const std::vector<ProjectionDifference>& found);

  // Says what a running job waits for, or ends it as failed.
  absl::Status Note(const Uuid& id, const std::string& error, bool failed);

 private:
  pg::Connection& connection_;
};

}  // namespace god33::manager
