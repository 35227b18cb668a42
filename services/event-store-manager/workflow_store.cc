#include "services/event-store-manager/workflow_store.h"

#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "eventlog/fold_source.h"

namespace god33::manager {
namespace {

using eventlog::FoldItem;
using projection::FoldEvent;

// Of one step of reading: bounds its memory and the time between looks at the clock.
constexpr int kMostItems = 1000;
constexpr absl::Duration kPatience = absl::Seconds(10);

// Of one moment: what is stored behind this position has advanced the version if it was a step.
constexpr pg::Statement kWhere = {"workflow_where", R"sql(
  SELECT (SELECT coalesce(max(position), 0) FROM event_ids),
    coalesce((SELECT version FROM aggregates WHERE aggregate = $1::text), 0),
    (SELECT coalesce(max(last_position), 0) + 1 FROM dropped_months))sql"};

constexpr pg::Statement kFind = {"find_step", R"sql(
  SELECT e.position, e.event_type, e.workflow_id, e.correlation_ids
  FROM event_ids AS i JOIN events AS e USING (position)
  WHERE i.event_id = $1::uuid)sql"};

}  // namespace

std::string WorkflowStore::AggregateOf(const Uuid& workflow) {
  return StrCat("workflow/", workflow.ToString());
}

absl::StatusOr<WorkflowReading> WorkflowStore::Read(const Uuid& workflow) {
  const auto where = connection_.Query(kWhere, pg::Params().Text(AggregateOf(workflow)));
  if (!where.ok()) return where.status();
  WorkflowReading reading{
      .position = where->Int8(0, 0), .version = where->Int8(0, 1), .horizon = where->Int8(0, 2)};
  reading.state.id = workflow;
  if (absl::Status status = ReadEvents(workflow, reading); !status.ok()) return status;
  return reading;
}

absl::Status WorkflowStore::ReadEvents(const Uuid& workflow, WorkflowReading& reading) {
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(kPatience);
  const auto fold = [&reading](const FoldItem& item, const FoldEvent& event) {
    // What is retained of dropped events is for projections only.
    if (item.position < reading.horizon) return;
    reading.chain.Add(event);
    // What can't be folded changes nothing: the projection says so where it stands still.
    projection::Apply(event, reading.state).IgnoreError();
  };
  eventlog::FoldSource source(connection_);
  FoldItem last{.since = reading.horizon, .position = reading.horizon};
  for (bool begun = false;;) {
    auto items =
        source.WorkflowItems(workflow, last.since, last.position, reading.position, kMostItems);
    if (!items.ok()) return items.status();
    const bool full = items->size() == static_cast<std::size_t>(kMostItems);
    // A step begins with the item that the one before has ended with.
    if (std::exchange(begun, true) && !items->empty()) items->erase(items->begin());
    if (items->empty()) return absl::OkStatus();
    auto events = source.Events(*items);
    if (!events.ok()) return events.status();
    const std::size_t done = eventlog::FoldPrefix(*items, *events, fold);
    if (done == items->size() && !full) return absl::OkStatus();
    last = (*items)[done - 1];
    if (MonotonicNanos() > deadline) {
      return MakeError(
          absl::StatusCode::kDeadlineExceeded, "QUERY_TOO_SLOW",
          StrCat("the workflow ", workflow.ToString(), " has too many events to be read in time"));
    }
  }
}

absl::StatusOr<std::optional<StoredStep>> WorkflowStore::Find(const Uuid& event_id) {
  const auto rows = connection_.Query(kFind, pg::Params().Id(event_id));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return std::nullopt;
  return StoredStep{.position = rows->Int8(0, 0),
                    .type = std::string(rows->Bytes(0, 1)),
                    .workflow = rows->OptionalId(0, 2),
                    .parents = rows->Ids(0, 3)};
}

}  // namespace god33::manager
