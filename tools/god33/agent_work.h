#pragma once

#include <string>

#include "tools/god33/api_client.h"
#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds create, assign and pool to `agent`. The one on the command line becomes `chosen`.
void AddAgentWork(CLI::App& noun, Command& chosen);

// Waits until a task is over, tells on a terminal how it goes, and prints it. Errors: those of the service, and
// FAILED_PRECONDITION (TASK_NOT_COMPLETED) when it ends otherwise.
absl::Status FollowTask(LettaClient& client, const std::string& task_id, Session& session);

}  // namespace god33::cli
