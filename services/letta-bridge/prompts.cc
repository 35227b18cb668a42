#include "services/letta-bridge/prompts.h"

#include "base/strings.h"
#include "base/timestamp.h"

namespace god33::letta {
namespace {

constexpr std::string_view kRules =
    "How to work:\n"
    "- Use report_progress when something worth knowing is done.\n"
    "- When only a human can decide something, call ask_human and end your turn; the answer is the "
    "next "
    "message.\n"
    "- When the task is done, call complete_task once, with the files you made or changed.\n"
    "- When it can't be done, call report_blocked.\n"
    "- A turn may be interrupted to save its state; go on where you were when you are told to.\n";

constexpr std::size_t kMostCallsTold = 50;
constexpr std::size_t kMostOfCall = 300;

std::string TaskText(const Task& task) {
  const Request& request = task.request;
  std::string text = StrCat("Task from ", request.from_agent, ":\n\n", request.description, "\n");
  if (!request.task_type.empty()) StrAppend(&text, "\nKind: ", request.task_type, "\n");
  if (request.deadline) {
    StrAppend(&text, "\nTo be done by: ", FormatTimestamp(*request.deadline), "\n");
  }
  if (!request.context.empty()) {
    StrAppend(&text, "\nContext (requirements, architecture, file references, constraints):\n\n",
              "```json\n", request.context, "\n```\n");
  }
  return text;
}

}  // namespace

std::string SystemPrompt(std::string_view agent_type) {
  return StrCat("You are ", agent_type,
                ", an agent that does tasks others hand over to you, on its own and with care.\n\n",
                kRules);
}

std::vector<MemoryFile> BlankMemory(std::string_view agent_type) {
  return {{.path = "system/persona.md",
           .description = "Who I am",
           .content = StrCat("I am ", agent_type, ".\n")},
          {.path = "system/task.md",
           .description = "The task I work on",
           .content = "I have no task.\n"}};
}

std::vector<MemoryFile> MemoryFor(const Task& task) {
  std::vector<MemoryFile> files = BlankMemory(task.request.to_agent);
  files.back().content = TaskText(task);
  return files;
}

std::string TaskInput(const Task& task) {
  return StrCat(TaskText(task), "\n", kRules);
}

std::string AnswerInput(const Task& task) {
  if (task.answer.empty()) {
    return "Your question was withdrawn without an answer. Decide as you think best and go on.";
  }
  return StrCat("The answer to your question:\n\n", task.answer, "\n\nGo on with the task.");
}

std::string RecoveredInput(const Task& task, const std::vector<LostCall>& lost) {
  std::string text =
      "Your work was interrupted and goes on from here: what you did after the last message above "
      "may "
      "be lost. Look at the files before you change them.";
  if (!task.answer.empty()) {
    StrAppend(&text, "\n\nThe answer to your question:\n\n", task.answer);
  }
  if (lost.empty()) return text;
  StrAppend(&text,
            "\n\nYou have made these calls already. If you make one again that can't be repeated "
            "without harm, it is not "
            "done again, and you get its result:\n");
  for (std::size_t i = 0; i < lost.size() && i < kMostCallsTold; ++i) {
    const LostCall& call = lost[i];
    StrAppend(&text, "- ", call.tool, " ", Clip(call.arguments, kMostOfCall), ": ",
              call.result ? Clip(*call.result, kMostOfCall) : "nobody knows whether it was done",
              "\n");
  }
  return text;
}

std::string GoOnInput() {
  return "The state of your work was saved. Go on where you were.";
}

std::string NudgeInput() {
  return "You ended your turn without saying how the task stands. If it is done, call "
         "complete_task; if it "
         "can't be done, call report_blocked; otherwise go on.";
}

std::string HandedOverInput(const std::vector<std::string>& agents) {
  std::string text = "Handed over to";
  for (const std::string& agent : agents) StrAppend(&text, " ", agent);
  return StrCat(text, ". Go on with your own task.");
}

}  // namespace god33::letta
