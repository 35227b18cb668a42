#include "services/event-store-api/workflow_history.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "eventlog/fold_source.h"
#include "eventlog/horizon.h"
#include "projection/workflow.h"
#include "services/event-store-api/workflow_proto.h"
#include "services/event-store-api/workflow_row.h"
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

// Where the dropped months end, in positions and in time.
constexpr pg::Statement kDropped = {"last_dropped_month", R"sql(
  SELECT last_position, (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'
  FROM dropped_months ORDER BY month DESC LIMIT 1)sql"};

// $1's state where the log begins, if it had one, and the horizon, in one row.
constexpr pg::Statement kSnapshot = {"workflow_snapshot", R"sql(
  SELECT w.workflow_id, w.project_name, w.current_phase, w.current_agent, w.started_at, w.updated_at,
    w.completed_at, w.metadata, w.correlation_ids, w.phase_history, w.agent_handoffs, w.version, w.position,
    )sql" GOD33_HORIZON R"sql(
  FROM (SELECT) AS nothing LEFT JOIN snapshot.workflow_state AS w ON w.workflow_id = $1::uuid)sql"};

// A state, and the position up to which it is folded.
struct FoldedTo {
  std::int64_t position = 0;
  WorkflowState state;
};

// The last position recorded at or before `time`; 0 if there is none. recorded_at never goes back,
// so it is found by halving the month.
absl::StatusOr<std::int64_t> PositionAt(pg::Connection& connection, absl::Time time,
                                        std::int64_t head) {
  const auto months = connection.Query(kMonthAt, pg::Params().Time(time));
  if (!months.ok()) return months.status();
  if (months->rows() == 0) {
    const auto dropped = connection.Query(kDropped);
    if (!dropped.ok()) return dropped.status();
    if (dropped->rows() == 0) return 0;
    const std::int64_t last = dropped->Int8(0, 0);
    // Between the last month that was dropped and the first that is left nothing was recorded.
    if (time >= dropped->Time(0, 1)) return last;
    return eventlog::BelowHorizon("what was recorded until then", last + 1, "at_time");
  }
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

absl::StatusOr<FoldedTo> ReadSnapshot(pg::Connection& connection, const Uuid& workflow) {
  const auto rows = connection.Query(kSnapshot, pg::Params().Id(workflow));
  if (!rows.ok()) return rows.status();
  FoldedTo folded{.position = rows->Int8(0, 13) - 1, .state = {}};
  if (rows->IsNull(0, 0)) {
    folded.state.id = workflow;
  } else {
    folded.state = ReadWorkflowState(*rows, 0);
  }
  return folded;
}

// Folds the workflow's items behind `from` up to a position, step by step.
absl::StatusOr<WorkflowState> Fold(pg::Connection& connection, FoldedTo from, std::int64_t up_to,
                                   absl::Duration timeout) {
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(timeout);
  eventlog::FoldSource source(connection);
  WorkflowState state = std::move(from.state);
  FoldItem last{.since = from.position + 1, .position = from.position + 1};
  bool begun = false;
  for (;;) {
    auto items = source.WorkflowItems(state.id, last.since, last.position, up_to, kMostItems);
    if (!items.ok()) return items.status();
    const bool full = items->size() == static_cast<std::size_t>(kMostItems);
    // A step begins with the item that the one before has ended with.
    if (std::exchange(begun, true) && !items->empty()) items->erase(items->begin());
    if (items->empty()) return state;
    auto events = source.Events(*items);
    if (!events.ok()) return events.status();

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

// The state at a position, from the snapshot on.
absl::StatusOr<WorkflowState> StateAt(pg::Connection& connection, const Uuid& workflow,
                                      const char* field, std::int64_t position,
                                      absl::Duration timeout) {
  for (;;) {
    auto snapshot = ReadSnapshot(connection, workflow);
    if (!snapshot.ok()) return snapshot.status();
    const std::int64_t begin = snapshot->position;
    if (position < begin) {
      return eventlog::BelowHorizon(StrCat("what was stored up to position ", position), begin + 1,
                                    field);
    }
    auto state = Fold(connection, *std::move(snapshot), position, timeout);
    if (!state.ok()) return state;
    // A month that was dropped meanwhile took away what was to be folded; its snapshot has it.
    const auto horizon = eventlog::ReadHorizon(connection);
    if (!horizon.ok()) return horizon.status();
    if (*horizon == begin + 1) return state;
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
    const auto state =
        StateAt(connection, query.workflow, query.at_position ? "at_position" : "at_time",
                *position, reader_.query_timeout());
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
