#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/letta-bridge/backend.h"

// The tools that an agent may call. Those of the first group tell the bridge something and do nothing by
// themselves; the others work on the files of the task.

namespace god33::letta {

inline constexpr std::string_view kReportProgress = "report_progress";
inline constexpr std::string_view kAskHuman = "ask_human";
inline constexpr std::string_view kCompleteTask = "complete_task";
inline constexpr std::string_view kReportBlocked = "report_blocked";
inline constexpr std::string_view kRequestHandoff = "request_handoff";
inline constexpr std::string_view kReadFile = "read_file";
inline constexpr std::string_view kWriteFile = "write_file";
inline constexpr std::string_view kListFiles = "list_files";

// A program that the operator lets agents run, in the directory of the task, with the call's arguments as JSON
// on stdin.
struct CommandTool {
  std::string name;
  std::string description;
  std::string parameters;  // JSON Schema of an object
  std::vector<std::string> command;
  absl::Duration timeout =
      absl::Minutes(4);  // less than the 5 minutes that Letta waits for a result

  // To run it twice does no more than to run it once.
  bool idempotent = false;
};

// Reads {"commands":[{"name","description","parameters"?,"command":[...],"timeout_seconds"?,"idempotent"?}]}.
// InvalidArgument names what is wrong.
absl::StatusOr<std::vector<CommandTool>> ReadCommandTools(std::string_view json);

// All of them, as Letta is told.
std::vector<ToolSpec> ToolSpecs(const std::vector<CommandTool>& commands);

}  // namespace god33::letta
