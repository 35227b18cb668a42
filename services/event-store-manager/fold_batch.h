#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "eventlog/fold_source.h"
#include "projection/session.h"
#include "projection/workflow.h"
#include "services/event-store-manager/projection_store.h"

namespace god33::manager {

using eventlog::FoldItem;

// The states that a batch of items touches, and what folding the items made of them.
class FoldBatch {
 public:
  // Reads the states that the items need, and which of them are frozen.
  static absl::StatusOr<FoldBatch> Load(
      ProjectionStore& store, const std::vector<FoldItem>& items,
      const std::map<std::int64_t, projection::FoldEvent>& events);

  // Folds one item, whose `since` the event has. A failure freezes the aggregate: it keeps the state it has.
  void Fold(const FoldItem& item, const projection::FoldEvent& event);

  // The same, into one aggregate only.
  void FoldOnly(const Uuid& aggregate, const FoldItem& item, const projection::FoldEvent& event);

  // Writes the states and the failures. When the database refuses one of the states, its aggregate is
  // frozen at the very item that led to it, and the others are written. `events` are those of the folded
  // items; `attempts` counts this one.
  absl::Status Save(ProjectionStore& store, pg::Connection& connection,
                    const std::map<std::int64_t, projection::FoldEvent>& events, int attempts);

  std::int64_t folded() const { return folded_; }

  // Some aggregate was frozen.
  bool failed() const { return !failures_.empty(); }

 private:
  // One projection's part of the batch.
  template <typename State>
  struct Aggregates {
    const char* projection;
    std::map<Uuid, State> states;
    std::map<Uuid, std::vector<FoldItem>> folded;
    std::set<Uuid> frozen;
  };

  template <typename State>
  void FoldInto(Aggregates<State>& aggregates, const Uuid& id, const FoldItem& item,
                const projection::FoldEvent& event);

  template <typename State>
  absl::Status SaveAll(const Aggregates<State>& aggregates, ProjectionStore& store,
                       pg::Connection& connection,
                       const std::map<std::int64_t, projection::FoldEvent>& events);
  template <typename State>
  absl::Status SaveByItem(const Aggregates<State>& aggregates, const Uuid& id,
                          ProjectionStore& store, pg::Connection& connection,
                          const std::map<std::int64_t, projection::FoldEvent>& events);

  Aggregates<projection::WorkflowState> workflows_{.projection = "workflow"};
  Aggregates<projection::SessionState> sessions_{.projection = "session"};
  std::vector<ProjectionStore::Failure> failures_;
  std::int64_t folded_ = 0;
};

}  // namespace god33::manager
