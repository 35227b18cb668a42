#include "services/event-store-manager/fold_batch.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "pg/error.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

using projection::FoldEvent;
using Failure = ProjectionStore::Failure;

// Longer with each failure, from a minute to an hour.
absl::Duration RetryIn(int attempts) {
  return std::min(absl::Minutes(1) * (1 << std::min(attempts - 1, 6)), absl::Hours(1));
}

std::set<Uuid> Ids(const std::vector<Failure>& failures) {
  std::set<Uuid> ids;
  for (const Failure& failure : failures) ids.insert(failure.aggregate);
  return ids;
}

template <typename State>
std::map<Uuid, State> Only(const std::map<Uuid, State>& states, const std::set<Uuid>& ids) {
  std::map<Uuid, State> some;
  for (const Uuid& id : ids) some.emplace(id, states.at(id));
  return some;
}

// Saves one by one; what the database refuses is frozen.
template <typename State>
absl::Status SaveOneByOne(ProjectionStore& store, pg::Connection& connection,
                          const char* projection, const std::map<Uuid, State>& states,
                          int attempts) {
  for (const auto& [id, state] : states) {
    if (absl::Status status = connection.Execute("SAVEPOINT one"); !status.ok()) return status;
    absl::Status status = store.Save(std::map<Uuid, State>{{id, state}});
    if (!status.ok() && pg::IsDataError(status)) {
      const Failure failure{.projection = projection,
                            .aggregate = id,
                            .since = state.position,
                            .position = state.position,
                            .error = std::string(MessageOf(status)),
                            .attempts = attempts};
      status = connection.Execute("ROLLBACK TO SAVEPOINT one");
      if (status.ok()) status = store.Freeze(failure, RetryIn(attempts));
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Saves all at once, which is how it nearly always ends.
template <typename State>
absl::Status SaveAll(ProjectionStore& store, pg::Connection& connection, const char* projection,
                     const std::map<Uuid, State>& states, int attempts) {
  if (states.empty()) return absl::OkStatus();
  if (absl::Status status = connection.Execute("SAVEPOINT all_states"); !status.ok()) return status;
  absl::Status status = store.Save(states);
  if (status.ok() || !pg::IsDataError(status)) return status;
  status = connection.Execute("ROLLBACK TO SAVEPOINT all_states");
  if (!status.ok()) return status;
  return SaveOneByOne(store, connection, projection, states, attempts);
}

}  // namespace

absl::StatusOr<FoldBatch> FoldBatch::Load(ProjectionStore& store,
                                          const std::vector<FoldItem>& items,
                                          const std::map<std::int64_t, FoldEvent>& events) {
  std::set<Uuid> workflows;
  std::set<Uuid> sessions;
  for (const FoldItem& item : items) {
    const auto event = events.find(item.position);
    if (event == events.end()) continue;
    if (item.workflow) {
      workflows.insert(*item.workflow);
    } else {
      for (const Uuid& session : projection::SessionsOf(event->second)) sessions.insert(session);
    }
  }
  FoldBatch batch;
  const auto load = [&store](auto& aggregates, const std::set<Uuid>& wanted, auto read) {
    const std::vector<Uuid> ids(wanted.begin(), wanted.end());
    auto states = (store.*read)(ids);
    if (!states.ok()) return states.status();
    aggregates.states = *std::move(states);
    const auto frozen = store.FrozenAmong(aggregates.projection, ids);
    if (!frozen.ok()) return frozen.status();
    aggregates.frozen = Ids(*frozen);
    return absl::OkStatus();
  };
  absl::Status status = load(batch.workflows_, workflows, &ProjectionStore::Workflows);
  if (status.ok()) status = load(batch.sessions_, sessions, &ProjectionStore::Sessions);
  if (!status.ok()) return status;
  return batch;
}

void FoldBatch::Fold(const FoldItem& item, const FoldEvent& event) {
  if (item.workflow) {
    FoldInto(workflows_, *item.workflow, item, event);
    return;
  }
  for (const Uuid& session : projection::SessionsOf(event)) {
    FoldInto(sessions_, session, item, event);
  }
}

void FoldBatch::FoldOnly(const Uuid& aggregate, const FoldItem& item, const FoldEvent& event) {
  if (item.workflow) {
    if (*item.workflow == aggregate) FoldInto(workflows_, aggregate, item, event);
    return;
  }
  for (const Uuid& session : projection::SessionsOf(event)) {
    if (session == aggregate) FoldInto(sessions_, session, item, event);
  }
}

template <typename State>
void FoldBatch::FoldInto(Aggregates<State>& aggregates, const Uuid& id, const FoldItem& item,
                         const FoldEvent& event) {
  if (aggregates.frozen.contains(id)) return;
  const absl::Status status = projection::Apply(event, aggregates.states.at(id));
  if (status.ok()) {
    aggregates.touched.insert(id);
    ++folded_;
    return;
  }
  Log(LogLevel::kWarning, "an event can't be folded; its aggregate is frozen",
      {{"projection", aggregates.projection},
       {"aggregate", id.ToString()},
       {"event_id", event.id.ToString()},
       {"position", event.position},
       {"error", MessageOf(status)}});
  aggregates.frozen.insert(id);
  failures_.push_back({.projection = aggregates.projection,
                       .aggregate = id,
                       .since = item.since,
                       .position = item.position,
                       .error = std::string(MessageOf(status))});
}

absl::Status FoldBatch::Save(ProjectionStore& store, pg::Connection& connection, int attempts) {
  const auto save = [&](const auto& aggregates) {
    return SaveAll(store, connection, aggregates.projection,
                   Only(aggregates.states, aggregates.touched), attempts);
  };
  absl::Status status = save(workflows_);
  if (status.ok()) status = save(sessions_);
  for (Failure& failure : failures_) {
    failure.attempts = attempts;
    if (status.ok()) status = store.Freeze(failure, RetryIn(attempts));
  }
  return status;
}

}  // namespace god33::manager
