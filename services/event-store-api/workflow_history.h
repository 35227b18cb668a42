#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "god33/store/v1/event_store.pb.h"
#include "services/event-store-api/query.h"
#include "services/event-store-api/reader.h"

namespace god33::api {

struct StateQuery {
  Uuid workflow;
  std::optional<std::int64_t> at_position;
  std::optional<absl::Time> at_time;  // whole microseconds; not with at_position
  std::int64_t min_position = 0;

  // The state as it is now.
  bool now() const { return !at_position && !at_time; }
};

absl::StatusOr<StateQuery> ReadQuery(const store::v1::GetWorkflowStateRequest& request);

// Workflows as they were, folded anew from the log, or from the snapshot that retention has left of what it
// dropped. Equal to what the projector had written when it had passed that position, since both read the
// log by eventlog::FoldSource. Thread-safe; calls block.
class WorkflowHistory {
 public:
  explicit WorkflowHistory(Reader& reader) : reader_(reader) {}

  // Fills in the state after query.at_position, or after the last event recorded at or before
  // query.at_time; one of them is given. Returns that position. Waits until the projector has passed it,
  // because members that join late are known only then. Errors: NOT_FOUND (WORKFLOW_NOT_FOUND: no event
  // up to there); OUT_OF_RANGE (POSITION_NOT_REACHED: the log ends before; RETENTION: it begins behind
  // that); FAILED_PRECONDITION (FOLD_FAILED: an event can't be folded); DEADLINE_EXCEEDED
  // (QUERY_TOO_SLOW); those of Reader.
  absl::StatusOr<std::int64_t> Get(const StateQuery& query, store::v1::Workflow& workflow);

 private:
  Reader& reader_;
};

}  // namespace god33::api
