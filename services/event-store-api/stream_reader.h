#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "pg/connection.h"
#include "services/event-store-api/log_point.h"
#include "services/event-store-api/stream_entry.h"
#include "services/event-store-api/stream_filter.h"

namespace god33::api {

// How far a log may be streamed now.
struct StreamState {
  LogPoint point;
  std::int64_t settled = 0;  // of late parents up to here none is left to work off

  std::int64_t end(StreamOrder order) const {
    return order == StreamOrder::kLog ? point.head : settled;
  }
};

absl::StatusOr<StreamState> ReadStreamState(pg::Connection& connection);

// What to read of an order, at a time.
struct StreamSlice {
  StreamOrder order = StreamOrder::kLog;
  StreamPoint after;
  std::int64_t most_positions = 0;  // how far ahead to look
  int most_entries = 0;
  std::int64_t most_bytes = 0;  // of payloads as they are stored
};

struct StreamRead {
  StreamState state;
  StreamBatch batch;

  // The first position that retention has left, after the batch was read: what the batch says of positions
  // before it may not be all.
  std::int64_t horizon = 0;
};

// Reads what follows slice.after, up to the state's end at most; batch.end tells how far that was. With
// a filter the database leaves out most of what does not match it, and the caller checks the rest. One
// round trip, whose cost is bounded by the slice; holds at least one entry if there is one.
absl::StatusOr<StreamRead> ReadStream(pg::Connection& connection, const StreamSlice& slice,
                                      const StreamFilter* filter);

}  // namespace god33::api
