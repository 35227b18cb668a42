#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "god33/store/v1/stream.pb.h"

namespace god33::api {

// A place in the order of streams (stream.proto): everything up to `position` lies before it, and of
// what is due at position + 1 the late events up to the one at position `within`.
struct StreamPoint {
  std::int64_t position = 0;
  std::int64_t within = 0;

  friend auto operator<=>(const StreamPoint&, const StreamPoint&) = default;
};

// The two orders that a stream may follow.
enum class StreamOrder {
  kLog,      // each event at its own position: final at commit
  kSettled,  // with late events: final when no late parent up to there is left to work off
};

// An event that is due at a position, with what filters compare. Immutable once it is shared.
struct StreamEntry {
  // Since when an event belongs to a workflow, or has a project.
  template <typename Group>
  struct Since {
    Group group;
    std::int64_t position = 0;
  };

  StreamPoint point;  // behind this event
  std::int64_t due = 0;
  std::int64_t position = 0;  // the event's own
  std::string type;
  std::string agent;
  std::vector<Uuid> parents;
  std::vector<Since<Uuid>> workflows;        // only in StreamOrder::kSettled
  std::vector<Since<std::string>> projects;  // likewise
  std::shared_ptr<const store::v1::StreamEventsResponse> frame;
  std::size_t bytes = 0;  // of the frame

  bool late() const { return due != position; }
};

// Consecutive entries: all there are behind `after` and up to `end`. Immutable once it is shared.
struct StreamBatch {
  StreamPoint after;
  StreamPoint end;
  std::vector<std::shared_ptr<const StreamEntry>> entries;  // by point
  std::size_t bytes = 0;
};

}  // namespace god33::api
