#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "causation/walk.h"
#include "services/event-store-api/causation_query.h"
#include "services/event-store-api/reader.h"

namespace god33::api {

// A walk takes account of so many edges, then it ends.
inline constexpr std::size_t kMostEdges = 1'000'000;

// What a walk over the log found.
struct Reach {
  causation::Walk walk;
  bool truncated = false;  // it was ended by kMostEdges
};

// Where a walk starts, and how far it goes.
struct WalkLimits {
  std::int64_t root = 0;
  Direction direction = Direction::kDescendants;
  int max_depth = 0;
  std::int64_t head = 0;  // the log as it was at this position; at least `root`

  friend auto operator<=>(const WalkLimits&, const WalkLimits&) = default;
};

// Walks over the edges of the log. Equal limits give equal walks, also when events were stored in
// between. DEADLINE_EXCEEDED when it takes longer than a query may; errors of Reader.
absl::StatusOr<Reach> WalkLog(Reader& reader, pg::Connection& connection, const WalkLimits& limits);

// The parents, up to `head`, of the events at these positions: steps from child to parent. At most
// `most` of them, those of the first events.
absl::StatusOr<std::vector<causation::Step>> ReadParents(pg::Connection& connection,
                                                         const std::vector<std::int64_t>& positions,
                                                         std::int64_t head, std::size_t most);

}  // namespace god33::api
