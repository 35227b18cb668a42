#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "event/envelope.h"
#include "pg/result.h"

namespace god33::eventlog {

// An event as it stands in the log.
struct StoredEvent {
  event::Envelope envelope;
  std::int64_t position = 0;
  absl::Time recorded_at;
  std::vector<std::string> payload_errors;
};

// The columns that ReadEvent expects, of a table or alias `e`, for a SELECT list.
#define GOD33_EVENT_COLUMNS                                                             \
  "e.event_id, e.event_type, e.\"timestamp\", e.version, e.source, e.correlation_ids, " \
  "e.agent_context, e.payload, e.position, e.recorded_at, e.payload_errors"

inline constexpr int kEventColumns = 11;

// Reads them from `row`, beginning at `column`.
StoredEvent ReadEvent(const pg::Result& result, int row, int column = 0);

}  // namespace god33::eventlog
