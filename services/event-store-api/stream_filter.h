#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "event/event_type.h"
#include "services/event-store-api/stream_entry.h"

namespace god33::api {

// Which events a stream gets: all filters must match. Plain values, checked.
struct StreamFilter {
  std::vector<event::TypePattern> types;  // one of them; empty: all
  std::optional<Uuid> workflow;
  std::optional<Uuid> correlation;
  std::string agent;    // empty: all
  std::string project;  // empty: all

  // Whether the event becomes due by this entry: an event that was sent as a member of one workflow is
  // not sent again when it joins another.
  bool Matches(const StreamEntry& entry) const;

  // The order in which nothing that matches is missed.
  StreamOrder order() const;
};

struct StreamRequest {
  StreamFilter filter;
  std::optional<std::int64_t> after;
  std::int64_t within = 0;
};

// Checks and reads a request. INVALID_ARGUMENT names the field.
absl::StatusOr<StreamRequest> ReadStreamRequest(const store::v1::StreamEventsRequest& request);

}  // namespace god33::api
