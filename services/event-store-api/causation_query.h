#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "god33/store/v1/causation.pb.h"

namespace god33::api {

enum class Direction { kDescendants, kAncestors };

enum class CausationFormat { kFlat, kTree, kGraph };

// A tree is never deeper, because readers of JSON and of messages give up at such depths.
inline constexpr int kMostTreeDepth = 100;

// What a reader asks about an event's causes or effects. Plain values, checked.
struct CausationQuery {
  Uuid event_id;
  Direction direction = Direction::kDescendants;
  CausationFormat format = CausationFormat::kFlat;
  int max_depth = 100;
  int limit = 100;
  std::string page_token;
  std::int64_t min_position = 0;

  // A text that is the same for pages of one answer.
  std::string Fingerprint() const;
};

// Check and read requests. INVALID_ARGUMENT names the field.
absl::StatusOr<CausationQuery> ReadQuery(const store::v1::GetDescendantsRequest& request);
absl::StatusOr<CausationQuery> ReadQuery(const store::v1::GetAncestorsRequest& request);

}  // namespace god33::api
