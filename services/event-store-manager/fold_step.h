#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "eventlog/fold_source.h"
#include "pg/connection.h"
#include "services/event-store-manager/projection_store.h"

namespace god33::manager {

// How far the log is folded: all items with since <= position, and the first `within` of those behind it
// that share the next since.
struct FoldCursor {
  std::int64_t position = 0;
  std::int64_t within = 0;

  friend bool operator==(const FoldCursor&, const FoldCursor&) = default;
};

// What one step may take at most.
struct FoldBounds {
  std::int64_t positions = 0;
  int items = 0;
};

struct FoldProgress {
  FoldCursor cursor;
  std::int64_t folded = 0;
};

// One bounded step of folding from `from` towards `up_to`, in the connection's transaction, into the
// tables that its search_path names: the live projections, or their twins. Late members must have joined
// up to `up_to`.
absl::StatusOr<FoldProgress> FoldStep(pg::Connection& connection, FoldCursor from,
                                      std::int64_t up_to, FoldBounds bounds);

// One bounded step of folding one frozen aggregate from where it stands still, up to `up_to`, likewise.
// Afterwards it is thawed; or still in fold_failures, to go on at once (`more`) or, with one attempt more,
// later.
struct ThawProgress {
  bool more = false;
  std::int64_t folded = 0;
};
absl::StatusOr<ThawProgress> ThawStep(pg::Connection& connection,
                                      const ProjectionStore::Failure& frozen, std::int64_t up_to);

}  // namespace god33::manager
