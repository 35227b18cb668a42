#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/letta-bridge/backend.h"
#include "services/letta-bridge/task.h"
#include "services/letta-bridge/tool_journal.h"

// What the bridge says to an agent.

namespace god33::letta {

std::string SystemPrompt(std::string_view agent_type);

// An agent's memory before it has a task.
std::vector<MemoryFile> BlankMemory(std::string_view agent_type);

// The same with the task, its context, constraints and file references in system/task.md.
std::vector<MemoryFile> MemoryFor(const Task& task);

// The first input: the task.
std::string TaskInput(const Task& task);

// The input after an answer to the agent's question.
std::string AnswerInput(const Task& task);

// The input after a recovery. `task.answer` is told, too, since the agent may not have it yet, and the calls that it
// has made and doesn't know of.
std::string RecoveredInput(const Task& task, const std::vector<LostCall>& lost);

// Inputs between turns of a task that goes on.
std::string GoOnInput();
std::string NudgeInput();
std::string HandedOverInput(const std::vector<std::string>& agents);

}  // namespace god33::letta
