#include "services/event-store-manager/fold_batch.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "pg/error.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

using projection::FoldEvent;
using projection::SessionState;
using projection::WorkflowState;
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

absl::StatusOr<WorkflowState> ReadState(ProjectionStore& store, const Uuid& id,
                                        const WorkflowState*) {
  auto states = store.Workflows({id});
  if (!states.ok()) return states.status();
  return std::move(states->at(id));
}

absl::StatusOr<SessionState> ReadState(ProjectionStore& store, const Uuid& id,
                                       const SessionState*) {
  auto states = store.Sessions({id});
  if (!states.ok()) return states.status();
  return std::move(states->at(id));
}

// Saves behind a savepoint. False: the database refuses one of the states, and nothing was saved.
template <typename State>
absl::StatusOr<bool> TrySave(ProjectionStore& store, pg::Connection& connection,
                             const std::map<Uuid, State>& states, absl::Status& refusal) {
  if (absl::Status status = connection.Execute("SAVEPOINT states"); !status.ok()) return status;
  absl::Status status = store.Save(states);
  if (!status.ok() && !pg::IsDataError(status)) return status;
  const bool saved = status.ok();
  if (!saved) refusal = status;
  status = connection.Execute(saved ? "RELEASE SAVEPOINT states"
                                    : "ROLLBACK TO SAVEPOINT states; RELEASE SAVEPOINT states");
  if (!status.ok()) return status;
  return saved;
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
    aggregates.folded[id].push_back(item);
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

// All at once, which is how it nearly always ends; else one by one.
template <typename State>
absl::Status FoldBatch::SaveAll(const Aggregates<State>& aggregates, ProjectionStore& store,
                                pg::Connection& connection,
                                const std::map<std::int64_t, FoldEvent>& events) {
  if (aggregates.folded.empty()) return absl::OkStatus();
  std::map<Uuid, State> states;
  for (const auto& [id, items] : aggregates.folded) states.emplace(id, aggregates.states.at(id));
  absl::Status refusal;
  auto saved = TrySave(store, connection, states, refusal);
  if (!saved.ok() || *saved) return saved.status();
  for (const auto& [id, state] : states) {
    saved = TrySave(store, connection, std::map<Uuid, State>{{id, state}}, refusal);
    if (!saved.ok()) return saved.status();
    if (*saved) continue;
    absl::Status status = SaveByItem(aggregates, id, store, connection, events);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Folds the items again, from the state that is stored, and saves after each: so it stands still at the
// one that the database refuses, wherever batches begin and end.
template <typename State>
absl::Status FoldBatch::SaveByItem(const Aggregates<State>& aggregates, const Uuid& id,
                                   ProjectionStore& store, pg::Connection& connection,
                                   const std::map<std::int64_t, FoldEvent>& events) {
  auto state = ReadState(store, id, static_cast<const State*>(nullptr));
  if (!state.ok()) return state.status();
  for (const FoldItem& item : aggregates.folded.at(id)) {
    FoldEvent event = events.at(item.position);
    event.since = item.since;
    if (absl::Status status = projection::Apply(event, *state); !status.ok()) return status;
    absl::Status refusal;
    const auto saved = TrySave(store, connection, std::map<Uuid, State>{{id, *state}}, refusal);
    if (!saved.ok()) return saved.status();
    if (*saved) continue;
    std::erase_if(failures_, [&](const Failure& failure) {
      return failure.projection == aggregates.projection && failure.aggregate == id;
    });
    failures_.push_back({.projection = aggregates.projection,
                         .aggregate = id,
                         .since = item.since,
                         .position = item.position,
                         .error = std::string(MessageOf(refusal))});
    break;
  }
  return absl::OkStatus();
}

absl::Status FoldBatch::Save(ProjectionStore& store, pg::Connection& connection,
                             const std::map<std::int64_t, FoldEvent>& events, int attempts) {
  absl::Status status = SaveAll(workflows_, store, connection, events);
  if (status.ok()) status = SaveAll(sessions_, store, connection, events);
  for (Failure& failure : failures_) {
    failure.attempts = attempts;
    if (status.ok()) status = store.Freeze(failure, RetryIn(attempts));
  }
  return status;
}

}  // namespace god33::manager
