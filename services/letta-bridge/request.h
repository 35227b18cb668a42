#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/letta-bridge/task.h"

namespace god33::letta {

// Whether a hand-off to this agent is the bridge's business (DESIGN.md, decision 18).
bool IsForBridge(std::string_view to_agent);

// to_agent of a hand-off's payload; empty if it names none.
std::string AgentAskedFor(std::string_view payload);

// What a hand-off's payload asks for. InvalidArgument with the reason of the rejection, invalid_payload:
// a required field is missing, or `deadline` is no time.
absl::StatusOr<Request> ReadRequest(std::string_view payload,
                                    const std::vector<std::string>& payload_errors);

// What else may keep the bridge from taking it. `earlier_on_chain`: how many hand-offs to the same agent are
// among its causes.
struct Circumstances {
  absl::Time now;
  const std::vector<std::string>& agent_types;  // that the bridge has agents for, without letta-
  int earlier_on_chain = 0;
  int most_on_chain = 3;
};

// OK, or the reason to reject it: unknown_agent, deadline_passed, delegation_loop.
absl::Status CheckAcceptable(const Request& request, const Circumstances& circumstances);

}  // namespace god33::letta
