#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `retention` with plan. The one on the command line becomes `chosen`.
void AddRetentionCommands(CLI::App& root, Command& chosen);

}  // namespace god33::cli
