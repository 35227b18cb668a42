#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `projection` with status, rebuild, verify, jobs, get and cancel. The one on the command line becomes `chosen`.
void AddProjectionCommands(CLI::App& root, Command& chosen);

}  // namespace god33::cli
