#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `workflow` with what steers one, get, list and timeline. The one on the command line becomes `chosen`.
void AddWorkflowCommands(CLI::App& root, Command& chosen);

}  // namespace god33::cli
