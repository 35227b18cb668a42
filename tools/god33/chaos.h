#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `chaos` and its verbs. The one that is on the command line becomes `chosen`.
void AddChaosCommands(CLI::App& root, Command& chosen);

}  // namespace god33::cli
