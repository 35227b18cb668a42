#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `session` with list, get, pause, resume, cancel and checkpoint. The one on the command line becomes `chosen`.
void AddSessionCommands(CLI::App& root, Command& chosen);

}  // namespace god33::cli
