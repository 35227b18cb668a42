#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "pg/connection.h"

namespace god33::manager {

// What a job is about: one workflow, one session, or, with neither, everything.
struct ProjectionScope {
  std::optional<Uuid> workflow;
  std::optional<Uuid> session;

  bool all() const { return !workflow && !session; }
};

// One value that is not the same in the live projections and in their twins.
struct ProjectionDifference {
  std::string table;       // workflow_state, agent_sessions, fold_failures
  Uuid id;                 // of the workflow or session
  std::string difference;  // changed, added (folded, and not live), removed (live, and not folded)
  std::string column;      // of a changed row
  std::optional<std::string> live;
  std::optional<std::string> folded;
};

struct DifferenceCounts {
  std::int64_t checked = 0;  // rows
  std::int64_t changed = 0;
  std::int64_t added = 0;
  std::int64_t removed = 0;

  std::int64_t differing() const { return changed + added + removed; }
};

// Compares the live projections with their twins, row by row and column by column as text, in one
// snapshot: without locks and in bounded memory, while both go on changing.
class ProjectionDiff {
 public:
  static constexpr std::size_t kMostListed = 100;       // differences
  static constexpr std::size_t kMostValueBytes = 2000;  // of a value, which is cut behind them

  // Opens the snapshot, in a transaction that lasts until End.
  static absl::StatusOr<ProjectionDiff> Begin(pg::Connection& connection,
                                              const ProjectionScope& scope);

  // Compares some thousand rows more. False: these were the last ones.
  absl::StatusOr<bool> Next();

  absl::Status End();

  const DifferenceCounts& counts() const { return counts_; }
  const std::vector<ProjectionDifference>& found() const { return found_; }

 private:
  explicit ProjectionDiff(pg::Connection& connection) : connection_(&connection) {}

  void Add(const pg::Result& rows, int row);

  pg::Connection* connection_;
  DifferenceCounts counts_;
  std::vector<ProjectionDifference> found_;
};

}  // namespace god33::manager
