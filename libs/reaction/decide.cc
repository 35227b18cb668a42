#include "reaction/decide.h"

#include <utility>

#include "base/backoff.h"
#include "base/stop.h"
#include "eventlog/append.h"
#include "eventlog/stalled_holder.h"
#include "reaction/fault.h"

namespace god33::reaction {
namespace {

constexpr int kMostTries = 3;
constexpr absl::Duration kPoolTimeout = absl::Seconds(5);

absl::StatusOr<sequence::Outcome> Try(pg::Connection& connection, const Decision& decide) {
  auto transaction = pg::Transaction::Begin(connection);
  if (!transaction.ok()) return transaction.status();
  const auto unit = decide(connection);
  if (!unit.ok()) return unit.status();
  sequence::Outcome outcome;
  if (!unit->events.empty()) {
    auto stored = eventlog::AppendInTransaction(connection, {&*unit});
    if (!stored.ok()) return stored.status();
    outcome = std::move(stored->outcomes.front());
    if (!outcome.status.ok()) return outcome.status;
  }
  if (absl::Status status = std::move(*transaction).Commit(); !status.ok()) return status;
  return outcome;
}

}  // namespace

absl::StatusOr<sequence::Outcome> Decide(pg::Pool& pool, const Decision& decide) {
  Backoff backoff(absl::Milliseconds(20), absl::Milliseconds(100), RandomFraction);
  for (int tries = 1;; ++tries) {
    auto connection = pool.AcquireAlive(kPoolTimeout);
    if (!connection.ok()) return connection.status();
    auto outcome = Try(**connection, decide);
    if (outcome.ok() || tries == kMostTries || FaultOf(outcome.status()) != Fault::kRace) {
      return outcome;
    }
    if (eventlog::IsLockTimeout(outcome.status())) {
      const auto freed = eventlog::EndStalledHolder(**connection);
      if (!freed.ok()) return freed.status();
    }
    // Who has won a deadlock shall get the other's locks first.
    Stop().WaitFor(backoff.Next());
  }
}

}  // namespace god33::reaction
