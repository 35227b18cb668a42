#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `agent` with list, get, checkpoints, events, create, assign and pool. The one on the command line becomes `chosen`.
void AddAgentCommands(CLI::App& root, Command& chosen);

}  // namespace god33::cli
