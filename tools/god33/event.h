#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `event` with publish, get, list, descendants, ancestors and types. The one on the command line becomes `chosen`.
void AddEventCommands(CLI::App& root, Command& chosen);

}  // namespace god33::cli
