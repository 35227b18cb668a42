#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tools/god33/session.h"

namespace god33::cli {

struct HandoffToWaitFor {
  std::string workflow;
  std::string handoff;  // the event id of its request
  std::int64_t position = 0;
  std::optional<absl::Duration> timeout;  // nullopt: without end
};

// Follows the log from the request on until the hand-off has ended, with a line on standard error for each thing
// that happens to it and, below a question, the command that answers it; then prints the payload of
// agent.letta.task.completed. When the stream breaks it goes on by itself, at its last position. A failed session
// is given 30 s to be recovered. Errors:
//   FAILED_PRECONDITION (HANDOFF_BLOCKED, HANDOFF_FAILED, HANDOFF_REJECTED, HANDOFF_CANCELLED)
//   DEADLINE_EXCEEDED (WAIT_TIMED_OUT)    the timeout passed
//   CANCELLED (INTERRUPTED)               SIGINT or SIGTERM
// and those of a stream that does not begin at all.
absl::Status WaitForHandoff(const HandoffToWaitFor& target, Session& session);

}  // namespace god33::cli
