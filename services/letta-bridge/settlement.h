#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "event/envelope.h"
#include "pg/connection.h"

namespace god33::letta {

inline constexpr char kAnswered[] = "agent.feedback.response";
inline constexpr char kWithdrawn[] = "agent.feedback.withdrawn";

// What became of an answer or a withdrawal.
struct Settlement {
  bool settled_now = false;  // the question was pending until now

  // The event that has settled it, now or before: another one than ours, if that came too late. Of several answers
  // the first in the log wins, whichever is looked at first. nullopt: there is no such question.
  std::optional<Uuid> by;
};

// Settles a question by an event that stands in the log, or will with this transaction, behind all that is stored.
// Runs in the connection's transaction; if an answer is given, the log is locked from here to its end.
absl::StatusOr<Settlement> SettleBy(pg::Connection& connection, const Uuid& request_id,
                                    const event::Envelope& envelope);

}  // namespace god33::letta
