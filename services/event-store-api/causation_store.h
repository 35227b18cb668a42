#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "god33/store/v1/causation.pb.h"
#include "services/event-store-api/causation_query.h"
#include "services/event-store-api/reader.h"
#include "services/event-store-api/walk_cache.h"

namespace god33::api {

// Which events an event led to, and which led to it. Thread-safe; calls block.
//
// The walk is over positions only; of what it reaches, the events of the answer alone are read.
class CausationStore {
 public:
  // `counters` of its cache outlive it; nullptr: nothing is counted.
  explicit CausationStore(Reader& reader, CacheCounters* counters = nullptr)
      : reader_(reader), walks_(counters) {}

  // Fill the answer. Errors: NOT_FOUND (EVENT_NOT_FOUND); OUT_OF_RANGE (RETENTION) when only the event's
  // id is kept; INVALID_ARGUMENT about page_token; ABORTED (LOG_CHANGED) when the token is of another
  // log; DEADLINE_EXCEEDED (QUERY_TOO_SLOW); those of Reader.
  absl::Status Descendants(const CausationQuery& query,
                           store::v1::GetDescendantsResponse& response);
  absl::Status Ancestors(const CausationQuery& query, store::v1::GetAncestorsResponse& response);

 private:
  struct Found;
  struct Flat;

  absl::Status Run(const std::function<absl::Status(pg::Connection&)>& work);
  absl::StatusOr<Found> Find(pg::Connection& connection, const CausationQuery& query);
  absl::StatusOr<Flat> ReadFlat(pg::Connection& connection, const CausationQuery& query);
  absl::Status ReadTree(pg::Connection& connection, const CausationQuery& query,
                        event::v1::Json& tree);
  absl::Status ReadGraph(pg::Connection& connection, const CausationQuery& query,
                         store::v1::CausationGraph& graph);

  Reader& reader_;
  WalkCache walks_;
};

}  // namespace god33::api
