#include "services/letta-bridge/prompts.h"

#include <catch2/catch.hpp>

#include "unit/letta_bridge/story.h"

namespace god33::letta {
namespace {

using Catch::Contains;

Task Whole() {
  return FoldAll({Requested(1,
                            ",'task_type':'implement_feature','deadline':'2026-02-01T12:00:00Z',"
                            "'context':{'requirements':['a'],'n':1.50}")});
}

TEST_CASE("the first input and the memory hold the task, and its context as it came") {
  const Task task = Whole();
  const std::vector<MemoryFile> memory = MemoryFor(task);
  REQUIRE(memory.size() == 2);
  CHECK(memory[0].path == "system/persona.md");
  CHECK(memory[1].path == "system/task.md");
  for (const std::string& text : {TaskInput(task), memory[1].content}) {
    CHECK_THAT(text, Contains("bmad-architect"));
    CHECK_THAT(text, Contains("Build it"));
    CHECK_THAT(text, Contains("implement_feature"));
    CHECK_THAT(text, Contains("2026-02-01T12:00:00Z"));
    CHECK_THAT(text, Contains("```json\n{\"requirements\":[\"a\"],\"n\":1.50}\n```"));
  }
  CHECK_THAT(TaskInput(task), Contains("complete_task"));
}

TEST_CASE("what a task lacks is not spoken of") {
  const std::string text = TaskInput(FoldAll({Requested(1)}));
  CHECK_THAT(text, !Contains("Kind:"));
  CHECK_THAT(text, !Contains("To be done by"));
  CHECK_THAT(text, !Contains("```"));
}

TEST_CASE("a blank memory has nothing of a task, in the same files") {
  const std::vector<MemoryFile> blank = BlankMemory("letta-python-dev");
  const std::vector<MemoryFile> full = MemoryFor(Whole());
  REQUIRE(blank.size() == full.size());
  for (std::size_t i = 0; i < blank.size(); ++i) CHECK(blank[i].path == full[i].path);
  CHECK(blank[0] == full[0]);
  CHECK_THAT(blank[1].content, !Contains("Build it"));
  for (const MemoryFile& file : full) CHECK_FALSE(file.description.empty());
}

TEST_CASE("an answer is told, also to an agent that was interrupted before it had it") {
  Task task = Whole();
  CHECK_THAT(AnswerInput(task), Contains("withdrawn"));
  CHECK_THAT(RecoveredInput(task), !Contains("answer"));
  task.answer = "Use JWT\nRationale: better";
  CHECK_THAT(AnswerInput(task), Contains(task.answer));
  CHECK_THAT(RecoveredInput(task), Contains(task.answer));
}

TEST_CASE("the inputs between turns say how to go on") {
  CHECK_THAT(SystemPrompt("letta-python-dev"), Contains("letta-python-dev"));
  CHECK_THAT(SystemPrompt("letta-python-dev"), Contains("ask_human"));
  CHECK_THAT(NudgeInput(), Contains("complete_task"));
  CHECK_THAT(NudgeInput(), Contains("report_blocked"));
  CHECK_FALSE(GoOnInput().empty());
  CHECK_THAT(HandedOverInput({"letta-a", "letta-b"}), Contains("letta-a") && Contains("letta-b"));
}

}  // namespace
}  // namespace god33::letta
