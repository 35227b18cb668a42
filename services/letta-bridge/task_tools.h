#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "json/value.h"
#include "services/letta-bridge/agent_tools.h"
#include "services/letta-bridge/backend.h"
#include "services/letta-bridge/held_task.h"
#include "services/letta-bridge/task_events.h"
#include "services/letta-bridge/workspace.h"

namespace god33::letta {

// What an agent said during its turn, to be done at the turn's end: so an interruption before that leaves nothing half
// done.
struct TurnOutcome {
  std::optional<Completion> completion;
  std::optional<std::pair<std::string, std::string>> blocked;  // reason, needs
  std::optional<Asked> asked;

  // `asked` is whether a call was done: nothing goes on before that is known.
  bool is_unknown = false;
  struct Handoff {
    std::string to_agent;
    std::string description;
    std::string context;  // JSON object; empty: none
  };
  std::vector<Handoff> handoffs;
};

// Runs the tools that the agent of one task calls. Used by one thread.
class TaskTools {
 public:
  TaskTools(std::filesystem::path directory, const std::vector<CommandTool>& commands,
            HeldTask& held, Clock& clock)
      : workspace_(std::move(directory), commands), held_(held), clock_(clock) {}

  const Workspace& workspace() const { return workspace_; }

  // What the agent is told. Mistakes of the agent are results; errors are those of HeldTask.
  //
  // What does something (write_file, the operator's commands) needs the newest epoch, and is in the journal before it
  // runs and before the agent has its result: the same call again gets the same result, also the one that an agent
  // makes because it went on from a checkpoint before it. A call that was begun and whose end nobody knows is made again
  // if that does no harm; otherwise it is not, and a human is asked.
  absl::StatusOr<ToolResult> Run(const ToolCall& call);

  // What was said since the last time.
  TurnOutcome TakeOutcome() { return std::exchange(outcome_, {}); }

  const TurnOutcome& outcome() const { return outcome_; }

  const Progress& progress() const { return progress_; }

 private:
  absl::StatusOr<ToolResult> RunJournaled(const ToolCall& call);
  absl::StatusOr<ToolResult> ReportProgress(const json::Value& arguments);
  ToolResult AskHuman(const json::Value& arguments);
  ToolResult CompleteTask(const json::Value& arguments);
  ToolResult ReportBlocked(const json::Value& arguments);
  ToolResult RequestHandoff(const json::Value& arguments);

  Workspace workspace_;
  HeldTask& held_;
  Clock& clock_;
  TurnOutcome outcome_;
  Progress progress_;
};

}  // namespace god33::letta
