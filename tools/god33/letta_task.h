#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `task` with list and get. The one on the command line becomes `chosen`.
void AddTaskCommands(CLI::App& root, Command& chosen);

}  // namespace god33::cli
