#include "services/event-store-manager/fold_step.h"

#include <algorithm>
#include <vector>

#include "services/event-store-manager/fold_batch.h"

namespace god33::manager {
namespace {

using eventlog::FoldPrefix;
using projection::FoldEvent;

constexpr int kMostThawed = 1000;

// How far the cursor gets with the first `done` of `items`, which were read for positions up to
// `end`.
FoldCursor Advance(const std::vector<FoldItem>& items, std::size_t done, bool all_read,
                   std::int64_t end, FoldCursor from) {
  if (done == items.size() && all_read) return {.position = end};
  // The group that is under way: all items that share the next item's (or, at the end, the last
  // one's) `since`. Everything before it is done.
  const std::int64_t under_way = done < items.size() ? items[done].since : items.back().since;
  std::int64_t in_group = 0;
  for (std::size_t i = 0; i < done; ++i) in_group += items[i].since == under_way;
  const bool same_group = under_way == from.position + 1;
  return {.position = under_way - 1, .within = in_group + (same_group ? from.within : 0)};
}

}  // namespace

absl::StatusOr<FoldProgress> FoldStep(pg::Connection& connection, FoldCursor from,
                                      std::int64_t up_to, FoldBounds bounds) {
  const std::int64_t end = std::min(up_to, from.position + bounds.positions);
  ProjectionStore store(connection);
  eventlog::FoldSource source(connection);
  const auto items = source.Items(from.position, end, from.within, bounds.items);
  if (!items.ok()) return items.status();
  auto events = source.Events(*items);
  if (!events.ok()) return events.status();
  auto batch = FoldBatch::Load(store, *items, *events);
  if (!batch.ok()) return batch.status();
  const std::size_t done = FoldPrefix(
      *items, *events,
      [&batch](const FoldItem& item, const FoldEvent& event) { batch->Fold(item, event); });
  if (absl::Status status = batch->Save(store, connection, *events, 1); !status.ok()) {
    return status;
  }
  const bool all_read = items->size() < static_cast<std::size_t>(bounds.items);
  return FoldProgress{.cursor = Advance(*items, done, all_read, end, from),
                      .folded = batch->folded()};
}

absl::StatusOr<ThawProgress> ThawStep(pg::Connection& connection,
                                      const ProjectionStore::Failure& frozen, std::int64_t up_to) {
  ProjectionStore store(connection);
  // Out of the way, so that the fold sees it thawed; a new failure puts it back.
  if (absl::Status status = store.Thaw(frozen); !status.ok()) return status;
  eventlog::FoldSource source(connection);
  const bool workflow = frozen.projection == "workflow";
  auto items = workflow ? source.WorkflowItems(frozen.aggregate, frozen.since, frozen.position,
                                               up_to, kMostThawed)
                        : source.SessionItems(frozen.aggregate, frozen.since, up_to, kMostThawed);
  if (!items.ok()) return items.status();
  auto events = source.Events(*items);
  if (!events.ok()) return events.status();
  auto batch = FoldBatch::Load(store, *items, *events);
  if (!batch.ok()) return batch.status();
  // With a full page there may be more: its last item begins the next one.
  std::optional<FoldItem> next;
  if (items->size() == static_cast<std::size_t>(kMostThawed)) {
    next = items->back();
    items->pop_back();
  }
  const std::size_t done =
      FoldPrefix(*items, *events, [&](const FoldItem& item, const FoldEvent& event) {
        batch->FoldOnly(frozen.aggregate, item, event);
      });
  if (done < items->size()) next = (*items)[done];
  absl::Status status = batch->Save(store, connection, *events, frozen.attempts + 1);
  const bool more = next && !batch->failed();
  if (status.ok() && more) {
    ProjectionStore::Failure rest = frozen;
    rest.since = next->since;
    rest.position = next->position;
    status = store.Freeze(rest, absl::ZeroDuration());
  }
  if (!status.ok()) return status;
  return ThawProgress{.more = more, .folded = batch->folded()};
}

}  // namespace god33::manager
