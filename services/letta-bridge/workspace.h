#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/letta-bridge/agent_tools.h"
#include "services/letta-bridge/backend.h"

namespace god33::letta {

// What a worktree looked like: recorded with checkpoints, never rolled back.
struct WorktreeState {
  std::string head;         // commit; empty: no git, or no commit yet
  std::string diff_sha256;  // of what differs from it, new files included; empty likewise
};

// The directory that one task works in, and the tools that work on it. Paths are relative to it; one that leads
// out of it, also by a symbolic link, is refused. Used by one thread.
class Workspace {
 public:
  // `directory` must exist.
  Workspace(std::filesystem::path directory, const std::vector<CommandTool>& commands)
      : directory_(std::move(directory)), commands_(commands) {}

  const std::filesystem::path& directory() const { return directory_; }

  // The operator's tool of this name, or null.
  const CommandTool* FindCommand(std::string_view name) const;

  // Runs one of the tools that work on files, or a command. Errors are results, for the agent to read.
  ToolResult Run(const ToolCall& call) const;

  WorktreeState Look() const;

 private:
  absl::StatusOr<std::filesystem::path> Resolve(const std::string& path) const;
  absl::StatusOr<std::string> ReadFile(const std::string& path) const;
  absl::StatusOr<std::string> WriteFile(const std::string& path, const std::string& content) const;
  absl::StatusOr<std::string> ListFiles(const std::string& path) const;
  absl::StatusOr<std::string> RunTool(const CommandTool& tool, const std::string& arguments) const;

  std::filesystem::path directory_;
  const std::vector<CommandTool>& commands_;
};

// Where a task works: `worktree` of its hand-off's context, which must lie below `root`, or else a directory of
// its own there, made if need be. INVALID_ARGUMENT (invalid_worktree) otherwise.
absl::StatusOr<std::filesystem::path> DirectoryOf(const std::filesystem::path& root,
                                                  std::string_view context,
                                                  const std::string& task_id);

}  // namespace god33::letta
