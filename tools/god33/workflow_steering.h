#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds to the noun `workflow` what steers one: start, phase, handoff, wait, validate, complete and status.
void AddSteeringCommands(CLI::App& noun, Command& chosen);

}  // namespace god33::cli
