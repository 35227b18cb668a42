#pragma once

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `dlq` with list, show, send-back and drop. The one on the command line becomes `chosen`.
void AddDeadLetterCommands(CLI::App& root, Command& chosen);

}  // namespace god33::cli
