#pragma once

#include <string>

#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `completion`. To be called after all other commands; if it is on the command line it becomes
// `chosen`.
void AddCompletionCommand(CLI::App& root, Command& chosen);

// A script for bash that completes the commands and options of `root`, and the values of those that
// have a fixed set of them. zsh takes it too, through its bashcompinit.
std::string CompletionScript(const CLI::App& root);

}  // namespace god33::cli
