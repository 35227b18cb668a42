#pragma once

#include <string>

#include "god33/store/v1/timeline.pb.h"
#include "tools/god33/printer.h"

namespace god33::cli {

// Agents' sessions and checkpoints for people.

ListView SessionView();
ListView CheckpointView();

// All there is to know about one session; of its checkpoints a line each.
std::string SessionDetails(const store::v1::AgentSession& session);

}  // namespace god33::cli
