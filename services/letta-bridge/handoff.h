#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "event/envelope.h"
#include "pg/connection.h"
#include "services/letta-bridge/task.h"

// Taking hand-offs, from the bus or from the API. Everything runs in the connection's transaction.

namespace god33::letta {

// Under which the bridge keeps its marks of events that it has handled (libs/reaction).
inline constexpr char kReactionService[] = "letta-bridge";

inline constexpr char kAgentHandoff[] = "agent.handoff.requested";

struct HandoffRules {
  std::vector<std::string> agent_types;  // that there are agents for, without letta-
  int most_on_chain = 3;
};

// An event as the fold sees it; a view into the envelope.
TaskEvent ToTaskEvent(const event::Envelope& envelope);

// A hand-off that came in.
struct Handoff {
  Task task;
  absl::Status verdict;  // OK, or the reason to reject it (request.h)
};

// `payload_errors`: of the event. The error is the database's.
absl::StatusOr<Handoff> Judge(pg::Connection& connection, const HandoffRules& rules, absl::Time now,
                              const event::Envelope& envelope,
                              const std::vector<std::string>& payload_errors);

}  // namespace god33::letta
