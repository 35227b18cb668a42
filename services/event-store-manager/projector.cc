#include "services/event-store-manager/projector.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "services/event-store-manager/adoption.h"
#include "services/event-store-manager/fold_batch.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

using eventlog::FoldPrefix;
using projection::FoldEvent;

// A step's size: under load each state is written once for many events.
constexpr std::int64_t kMostPositions = 4000;
constexpr int kMostItems = 8000;

// How far the cursor gets with the first `done` of `items`, which were read for positions up to
// `end`.
void Advance(const std::vector<FoldItem>& items, std::size_t done, bool all_read, std::int64_t end,
             eventlog::CursorLease& lease) {
  if (done == items.size() && all_read) {
    lease.position = end;
    lease.within = 0;
    return;
  }
  // The group that is under way: all items that share the next item's (or, at the end, the last
  // one's) `since`. Everything before it is done.
  const std::int64_t under_way = done < items.size() ? items[done].since : items.back().since;
  std::int64_t in_group = 0;
  for (std::size_t i = 0; i < done; ++i) in_group += items[i].since == under_way;
  const bool same_group = under_way == lease.position + 1;
  lease.within = in_group + (same_group ? lease.within : 0);
  lease.position = under_way - 1;
}

}  // namespace

absl::StatusOr<bool> Projector::Step(pg::Connection& connection, eventlog::CursorLease& lease) {
  ProjectionStore store(connection);
  const auto head = store.Head();
  if (!head.ok()) return head.status();
  const std::int64_t end = std::min(*head, lease.position + kMostPositions);
  if (end == lease.position) return RetryFrozen(connection, lease);

  const auto adopted = AdoptStep(connection, end);
  if (!adopted.ok()) return adopted.status();
  if (*adopted) {
    metrics_.adopted.Increment(**adopted);
    return true;
  }
  const auto filled = store.FillProjects(lease.position, end);
  if (!filled.ok()) return filled.status();
  if (*filled > 0) return true;

  auto transaction = pg::Transaction::Begin(connection);
  if (!transaction.ok()) return transaction.status();
  eventlog::FoldSource source(connection);
  const auto items = source.Items(lease.position, end, lease.within, kMostItems);
  if (!items.ok()) return items.status();
  auto events = source.Events(*items);
  if (!events.ok()) return events.status();
  auto batch = FoldBatch::Load(store, *items, *events);
  if (!batch.ok()) return batch.status();
  const std::size_t done = FoldPrefix(
      *items, *events,
      [&batch](const FoldItem& item, const FoldEvent& event) { batch->Fold(item, event); });
  if (absl::Status status = batch->Save(store, connection, 1); !status.ok()) return status;
  eventlog::CursorLease moved = lease;
  Advance(*items, done, items->size() < static_cast<std::size_t>(kMostItems), end, moved);
  absl::Status status =
      eventlog::MoveCursor(connection, lease, moved.position, moved.within, Follower::kLease);
  if (status.ok()) status = std::move(*transaction).Commit();
  if (!status.ok()) return status;
  lease = moved;
  metrics_.folded.Increment(static_cast<double>(batch->folded()));
  metrics_.projection_position.Set(static_cast<double>(lease.position));
  return lease.position < *head;
}

// Folds what a frozen aggregate has missed, from the event that failed on.
absl::StatusOr<bool> Projector::RetryFrozen(pg::Connection& connection,
                                            const eventlog::CursorLease& lease) {
  ProjectionStore store(connection);
  const auto frozen = store.CountFrozen();
  if (!frozen.ok()) return frozen.status();
  metrics_.frozen_folds.Set(static_cast<double>(*frozen));
  if (*frozen == 0) return false;
  const auto due = store.NextRetry();
  if (!due.ok()) return due.status();
  if (!*due) return false;
  ProjectionStore::Failure failure = **due;
  ++failure.attempts;

  auto transaction = pg::Transaction::Begin(connection);
  if (!transaction.ok()) return transaction.status();
  // Out of the way, so that the fold sees it thawed; a new failure puts it back.
  if (absl::Status status = store.Thaw(failure); !status.ok()) return status;
  eventlog::FoldSource source(connection);
  const bool workflow = failure.projection == "workflow";
  auto items =
      workflow ? source.WorkflowItems(failure.aggregate, failure.since, failure.position,
                                      lease.position, kMostItems)
               : source.SessionItems(failure.aggregate, failure.since, lease.position, kMostItems);
  if (!items.ok()) return items.status();
  auto events = source.Events(*items);
  if (!events.ok()) return events.status();
  auto batch = FoldBatch::Load(store, *items, *events);
  if (!batch.ok()) return batch.status();
  // With a full page there may be more: its last item begins the next one.
  std::optional<FoldItem> next;
  if (items->size() == static_cast<std::size_t>(kMostItems)) {
    next = items->back();
    items->pop_back();
  }
  const std::size_t done =
      FoldPrefix(*items, *events, [&](const FoldItem& item, const FoldEvent& event) {
        batch->FoldOnly(failure.aggregate, item, event);
      });
  if (done < items->size()) next = (*items)[done];
  absl::Status status = batch->Save(store, connection, failure.attempts);
  if (status.ok() && next && !batch->failed()) {
    failure.since = next->since;
    failure.position = next->position;
    status = store.Freeze(failure, absl::ZeroDuration());
  }
  if (status.ok()) status = std::move(*transaction).Commit();
  if (!status.ok()) return status;
  return true;
}

}  // namespace god33::manager
