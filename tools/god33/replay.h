#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `replay`, which starts one, and its verbs to the noun `event`. The one that is on the command
// line becomes `chosen`.
void AddReplayCommands(CLI::App& noun, Command& chosen);

}  // namespace god33::cli
