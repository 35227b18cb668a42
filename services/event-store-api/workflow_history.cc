#include "services/event-store-api/workflow_history.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "eventlog/fold_source.h"
#include "projection/workflow.h"
#include "services/event-store-api/workflow_proto.h"
#include "wire/timestamp.h"

namespace god33::api {
namespace {

using eventlog::FoldItem;
using projection::FoldEvent;
using projection::WorkflowState;

// Of one step: bounds its memory and the time between looks at the clock.
constexpr int kMostItems = 1000;

// The last month that had begun at a time: its start, its first position and that of the next one.
constexpr pg::Statement kMonthAt = {"month_at", R"sql(
  SELECT month, first_position,
    (SELECT min(first_position) FROM log_months WHERE month > $1::timestamptz)
  FROM log_months WHERE month <= $1::timestamptz ORDER BY month DESC LIMIT 1)sql"};

constexpr pg::Statement kRecordedAt = {"recorded_at", R"sql(
  SELECT recorded_at FROM events
  WHERE position = $1::bigint AND recorded_at >= $2::timestamptz
    AND recorded_at < $2::timestamptz + interval '1 month')sql"};

// The last position recorded at or before `time`; 0 if there is none. recorded_at never goes back,
// so it is found by halving the month.
absl::StatusOr<std::int64_t> PositionAt(pg::Connection& connection, absl::Time time,
                                        std::int64_t head) {
  const auto months = connection.Query(kMonthAt, pg::Params().Time(time));
  if (!months.ok()) return months.status();
  if (months->rows() == 0) return 0;
  const absl::Time month = months->Time(0, 0);
  std::int64_t reached = months->Int8(0, 1) - 1;
  std::int64_t beyond = months->IsNull(0, 2) ? head + 1 : months->Int8(0, 2);
  while (beyond - reached > 1) {
    const std::int64_t middle = reached + (beyond - reached) / 2;
    const auto rows = connection.Query(kRecordedAt, pg::Params().Int8(middle).Time(month));
    if (!rows.ok()) return rows.status();
    // An event that is gone with its month was before those that stay.
    (rows->rows() == 0 || rows->Time(0, 0) <= time ? reached : beyond) = middle;
  }
  return reached;
}

absl::Status TooSlow() {
  return MakeError(absl::StatusCode::kDeadlineExceeded, "QUERY_TOO_SLOW",
                   "the workflow has too many events to be folded in time; ask for an earlier "
                   "state, or for the one of now");
}

absl::Status Gone() {
  return MakeError(absl::StatusCode::kOutOfRange, "retention",
                   "the workflow's first events were dropped when their month's retention ended");
}

// Folds the workflow's items up to a position, step by step.
absl::StatusOr<WorkflowState> Fold(pg::Connection& connection, const Uuid& workflow,
                                   std::int64_t up_to, absl::Duration timeout) {
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(timeout);
  eventlog::FoldSource source(connection);
  WorkflowState state;
  state.id = workflow;
  FoldItem last;
  for (;;) {
    auto items = source.WorkflowItems(workflow, last.since, last.position, up_to, kMostItems);
    if (!items.ok()) return items.status();
    const bool full = items->size() == static_cast<std::size_t>(kMostItems);
    // A step begins with the item that the one before has ended with.
    if (state.version > 0 && !items->empty()) items->erase(items->begin());
    if (items->empty()) return state;
    auto events = source.Events(*items);
    if (!events.ok()) return events.status();
    if (!events->contains(items->front().position)) return Gone();

    absl::Status status;
    const auto fold = [&](const FoldItem& item, const FoldEvent& event) {
      if (!status.ok()) return;
      status = projection::Apply(event, state);
      if (status.ok()) return;
      status = MakeError(absl::StatusCode::kFailedPrecondition, "FOLD_FAILED",
                         StrCat("the event ", event.id.ToString(), " at position ", item.position,
                                " can't be folded: ", MessageOf(status)));
    };
    const std::size_t done = eventlog::FoldPrefix(*items, *events, fold);
    if (!status.ok()) return status;
    if (done == items->size() && !full) return state;
    last = (*items)[done - 1];
    if (MonotonicNanos() > deadline) return TooSlow();
  }
}

}  // namespace

absl::StatusOr<StateQuery> ReadQuery(const store::v1::GetWorkflowStateRequest& request) {
  StateQuery query;
  const auto id = ReadId("workflow_id", request.workflow_id());
  if (!id.ok()) return id.status();
  query.workflow = *id;
  if (request.has_at_position() && request.has_at_time()) {
    return InvalidField("at_time", "expected at_position or at_time, not both");
  }
  if (request.has_at_position()) {
    if (request.at_position() < 1) {
      return InvalidField("at_position", StrCat("expected 1 or more, got ", request.at_position()));
    }
    query.at_position = request.at_position();
  }
  if (request.has_at_time()) {
    const auto time = wire::ReadTime("at_time", request.at_time());
    if (!time.ok()) return time.status();
    query.at_time = *time;
  }
  if (request.min_position() < 0) return InvalidField("min_position", "expected 0 or more");
  query.min_position = request.min_position();
  return query;
}

absl::StatusOr<std::int64_t> WorkflowHistory::Get(const StateQuery& query,
                                                  store::v1::Workflow& workflow) {
  std::int64_t true_at = 0;
  const absl::Status status = reader_.Run([&](pg::Connection& connection) -> absl::Status {
    workflow.Clear();
    const auto log = reader_.StateAt(connection, query.min_position, Reader::Of::kLog);
    if (!log.ok()) return log.status();
    if (query.at_position && *query.at_position > log->head) {
      return MakeError(
          absl::StatusCode::kOutOfRange, "POSITION_NOT_REACHED",
          StrCat("the log ends at position ", log->head, ", before ", *query.at_position),
          "at_position");
    }
    const auto position = query.at_position ? absl::StatusOr<std::int64_t>(*query.at_position)
                                            : PositionAt(connection, *query.at_time, log->head);
    if (!position.ok()) return position.status();
    const auto folded = reader_.StateAt(connection, *position, Reader::Of::kProjection);
    if (!folded.ok()) return folded.status();
    const auto state = Fold(connection, query.workflow, *position, reader_.query_timeout());
    if (!state.ok()) return state.status();
    if (state->version == 0) {
      return MakeError(absl::StatusCode::kNotFound, "WORKFLOW_NOT_FOUND",
                       StrCat("the workflow ", query.workflow.ToString(),
                              " has no event up to position ", *position),
                       "workflow_id");
    }
    ToProto(*state, workflow);
    true_at = *position;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return true_at;
}

}  // namespace god33::api
