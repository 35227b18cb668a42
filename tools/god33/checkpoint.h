#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `checkpoint` with list, get and retention. The one on the command line becomes `chosen`.
void AddCheckpointCommands(CLI::App& root, Command& chosen);

}  // namespace god33::cli
