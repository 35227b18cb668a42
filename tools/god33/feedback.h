#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `feedback` with list, get, answer and withdraw. The one on the command line becomes `chosen`.
void AddFeedbackCommands(CLI::App& root, Command& chosen);

}  // namespace god33::cli
