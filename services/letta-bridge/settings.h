#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/letta-bridge/agent_tools.h"

namespace god33::letta {

// How tasks are worked on. See config.cc for the variables.
struct Settings {
  std::string model;
  std::vector<std::string> agent_types;  // without letta-
  int agents_per_type = 10;              // and project
  int most_runs = 64;                    // tasks that this bridge works on at once
  std::int64_t checkpoint_messages = 50;
  absl::Duration checkpoint_time = absl::Minutes(10);
  int checkpoints_kept = 20;  // of each task that is not over; 0: all
  absl::Duration stall = absl::Minutes(5);
  bool recovery = true;
  int most_recoveries = 5;  // in a row, without a new checkpoint
  std::filesystem::path workspace;
  std::vector<CommandTool> commands;
};

}  // namespace god33::letta
