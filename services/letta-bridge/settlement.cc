#include "services/letta-bridge/settlement.h"

#include <string>
#include <utility>

#include "eventlog/append.h"
#include "services/letta-bridge/questions.h"
#include "services/letta-bridge/task.h"
#include "services/letta-bridge/task_store.h"

namespace god33::letta {

// The task is locked before the log, as by everybody who appends for it.
absl::StatusOr<Settlement> SettleBy(pg::Connection& connection, const Uuid& request_id,
                                    const event::Envelope& envelope) {
  Settlement settlement;
  const auto question = LockPending(connection, request_id, settlement.by);
  if (!question.ok()) return question.status();
  if (!*question) return settlement;
  std::optional<Task> task;
  if ((*question)->task_id) {
    auto locked = LockTask(connection, *(*question)->task_id);
    if (!locked.ok()) return locked.status();
    task = *std::move(locked);
  }

  const bool withdrawn = envelope.type == kWithdrawn;
  Answer winner{.event_id = envelope.id, .payload = envelope.payload};
  if (!withdrawn) {
    // An answer that is not stored yet can't get ahead any more.
    if (absl::Status status = eventlog::LockLog(connection); !status.ok()) return status;
    auto first = FirstAnswer(connection, request_id);
    if (!first.ok()) return first.status();
    if (*first) winner = **std::move(first);
  }
  settlement = {.settled_now = true, .by = winner.event_id};
  absl::Status status =
      Settle(connection, request_id, withdrawn ? "withdrawn" : "answered", winner.event_id,
             envelope.time, withdrawn ? std::string() : AnswerIn(winner.payload));
  if (status.ok() && task) {
    status = Fold(connection,
                  {.id = winner.event_id,
                   .type = envelope.type,
                   .payload = winner.payload,
                   .parents = {request_id}},
                  *task);
  }
  if (!status.ok()) return status;
  return settlement;
}

}  // namespace god33::letta
