#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "pg/connection.h"
#include "projection/fold_event.h"

namespace god33::eventlog {

// One event that is to be folded into one aggregate. Items are folded in the order
// (since, own events before late members, position, workflows before sessions).
struct FoldItem {
  std::int64_t since = 0;
  std::int64_t position = 0;
  std::optional<Uuid> workflow;  // nullopt: into the sessions it names
};

// The log as folds read it, in bounded portions. Who folds the items of an aggregate with
// since <= N gets the state that the projector had after position N: whoever it is, they read it
// here. That holds once the projector has passed N, since it lets late members join.
class FoldSource {
 public:
  explicit FoldSource(pg::Connection& connection) : connection_(connection) {}

  // The items with after < since <= up_to, without the first `skip`; at most `limit`.
  absl::StatusOr<std::vector<FoldItem>> Items(std::int64_t after, std::int64_t up_to,
                                              std::int64_t skip, int limit);

  // The items of one workflow from (since, position) on.
  absl::StatusOr<std::vector<FoldItem>> WorkflowItems(const Uuid& workflow, std::int64_t since,
                                                      std::int64_t position, std::int64_t up_to,
                                                      int limit);
  absl::StatusOr<std::vector<FoldItem>> SessionItems(const Uuid& session, std::int64_t since,
                                                     std::int64_t up_to, int limit);

  // The events of the items by position. Stops early when they grow large, so the last items may be
  // missing, but never the first.
  absl::StatusOr<std::map<std::int64_t, projection::FoldEvent>> Events(
      const std::vector<FoldItem>& items);

 private:
  absl::Status AddRetained(const std::vector<FoldItem>& items,
                           std::map<std::int64_t, projection::FoldEvent>& events);
  absl::Status AddHandoffTargets(std::map<std::int64_t, projection::FoldEvent>& events);

  pg::Connection& connection_;
};

// Calls `fold` with each item and its event, `since` set, for as long as the events were read;
// returns how many items are done.
template <typename Fold>
std::size_t FoldPrefix(const std::vector<FoldItem>& items,
                       std::map<std::int64_t, projection::FoldEvent>& events, Fold fold) {
  std::size_t done = 0;
  for (const FoldItem& item : items) {
    const auto event = events.find(item.position);
    if (event != events.end()) {
      event->second.since = item.since;
      fold(item, event->second);
    } else if (done > 0) {
      break;  // not read in this step
    }
    // The first item's event is always read, unless it is gone: then there is nothing to fold.
    ++done;
  }
  return done;
}

}  // namespace god33::eventlog
