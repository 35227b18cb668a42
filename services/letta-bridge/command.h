#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace god33::letta {

struct CommandRun {
  std::vector<std::string> words;  // the program, found in PATH, and its arguments
  std::string directory;
  std::string input;  // on stdin
  absl::Duration timeout = absl::Seconds(60);
  std::size_t most_output = 64 << 10;  // bytes; what comes after is dropped
};

struct CommandResult {
  int exit_code = 0;   // 128 + signal, if one ended it
  std::string output;  // stdout and stderr as they came
  bool cut = false;    // there was more
};

// Runs a program to its end, with PATH, HOME and LANG of this process and nothing else of its environment or open
// files. What it has started and left behind is killed then; it is killed with it when the time is over: DEADLINE_EXCEEDED
// (COMMAND_TIMEOUT). NOT_FOUND (COMMAND_NOT_FOUND) when it can't be started. The process must ignore SIGPIPE
// (rpc::PrepareProcess). Thread-safe.
absl::StatusOr<CommandResult> RunCommand(const CommandRun& run);

}  // namespace god33::letta
