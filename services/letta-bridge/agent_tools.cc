#include "services/letta-bridge/agent_tools.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/strings.h"
#include "json/text_of.h"
#include "json/value.h"

namespace god33::letta {
namespace {

struct BuiltIn {
  std::string_view name;
  const char* description;
  const char* parameters;
};

constexpr std::array<BuiltIn, 8> kBuiltIn = {{
    {kReportProgress, "Tells the people who follow the task how far it is.", R"json({
      "type":"object","required":["summary"],"properties":{
        "summary":{"type":"string","description":"What was done"},
        "files_modified":{"type":"array","items":{"type":"string"}},
        "current_focus":{"type":"string"},
        "next_steps":{"type":"array","items":{"type":"string"}}}})json"},
    {kAskHuman,
     "Asks a human. End your turn after it, without doing anything else: the answer is the next "
     "message.",
     R"json({
      "type":"object","required":["question"],"properties":{
        "question":{"type":"string"},
        "context":{"type":"string","description":"What one must know to answer"},
        "options":{"type":"array","items":{"type":"string"}},
        "default":{"type":"string","description":"What to take when nobody answers in time"},
        "timeout_seconds":{"type":"integer","minimum":1,
          "description":"How long to wait for an answer; only with a default"}}})json"},
    {kCompleteTask, "Says that the task is done. Call it once, at the end, then end your turn.",
     R"json({
      "type":"object","required":["summary"],"properties":{
        "summary":{"type":"string"},
        "artifacts":{"type":"array","items":{"type":"object","required":["type","path","status"],
          "properties":{
            "type":{"type":"string","description":"code, test, docs or another word"},
            "path":{"type":"string"},
            "status":{"type":"string","enum":["created","modified","deleted"]}}}},
        "validation":{"type":"object","properties":{
          "tests_passed":{"type":"boolean"},"lint_passed":{"type":"boolean"},
          "coverage_pct":{"type":"number","minimum":0,"maximum":100}}},
        "next_action":{"type":"string","description":"What should come next, e.g. qa_review"}}})json"},
    {kReportBlocked,
     "Says that the task can't be done without help that a human's answer is not enough for.",
     R"json({
      "type":"object","required":["reason"],"properties":{
        "reason":{"type":"string"},"needs":{"type":"string","description":"What would help"}}})json"},
    {kRequestHandoff,
     "Asks another agent to take over a task of its own. It is sent when your turn ends.",
     R"json({
      "type":"object","required":["to_agent","task_description"],"properties":{
        "to_agent":{"type":"string","description":"e.g. letta-qa-engineer"},
        "task_description":{"type":"string"},"context":{"type":"object"}}})json"},
    {kReadFile, "Reads a text file of the task's directory.", R"json({
      "type":"object","required":["path"],"properties":{"path":{"type":"string"}}})json"},
    {kWriteFile, "Writes a text file of the task's directory, and the directories above it.",
     R"json({
      "type":"object","required":["path","content"],"properties":{
        "path":{"type":"string"},"content":{"type":"string"}}})json"},
    {kListFiles, "Lists the files below a directory of the task's, without those that git ignores.",
     R"json({
      "type":"object","properties":{"path":{"type":"string"}}})json"},
}};

constexpr std::int64_t kMostSeconds = 280;

constexpr char kAnyArguments[] = R"json({"type":"object"})json";

absl::Status Wrong(int index, std::string_view what) {
  return InvalidArgument(StrCat("commands[", index, "]", what));
}

bool IsToolName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

absl::StatusOr<CommandTool> ReadCommand(const json::Value& value, int index) {
  if (!value.is_object()) return Wrong(index, ": expected an object");
  CommandTool tool{.name = TextOf(value, "name"),
                   .description = TextOf(value, "description"),
                   .parameters = kAnyArguments};
  if (!IsToolName(tool.name)) return Wrong(index, ".name: expected 1 to 64 of a-z, 0-9 and _");
  if (tool.description.empty()) return Wrong(index, ".description: expected a text");
  if (const auto parameters = value.Find("parameters")) {
    if (!parameters->is_object()) return Wrong(index, ".parameters: expected a JSON Schema");
    tool.parameters = std::string(parameters->text());
  }
  const auto command = value.Find("command");
  if (command && command->kind() == json::Kind::kArray) {
    for (const json::Value word : command->elements()) {
      if (!word.is_string()) return Wrong(index, ".command: expected texts only");
      tool.command.push_back(word.ToString());
    }
  }
  const auto has_nul = [](const std::string& word) { return word.find('\0') != std::string::npos; };
  if (tool.command.empty() || tool.command.front().empty() ||
      std::any_of(tool.command.begin(), tool.command.end(), has_nul)) {
    return Wrong(index, ".command: expected a program and its arguments");
  }
  if (const auto timeout = value.Find("timeout_seconds")) {
    const auto seconds = timeout->kind() == json::Kind::kNumber ? timeout->ToInt64() : std::nullopt;
    if (!seconds || *seconds < 1 || *seconds > kMostSeconds) {
      return Wrong(index, StrCat(".timeout_seconds: expected 1 to ", kMostSeconds,
                                 ": Letta waits 5 minutes for a result"));
    }
    tool.timeout = absl::Seconds(*seconds);
  }
  if (const auto idempotent = value.Find("idempotent")) {
    if (idempotent->kind() != json::Kind::kBool) {
      return Wrong(index, ".idempotent: expected true or false");
    }
    tool.idempotent = idempotent->ToBool();
  }
  return tool;
}

}  // namespace

absl::StatusOr<std::vector<CommandTool>> ReadCommandTools(std::string_view json) {
  const auto value = json::Value::Parse(json);
  if (!value.ok()) return value.status();
  const auto commands = value->is_object() ? value->Find("commands") : std::nullopt;
  if (!commands || commands->kind() != json::Kind::kArray) {
    return InvalidArgument("expected {\"commands\":[...]}");
  }
  std::vector<CommandTool> tools;
  for (const json::Value command : commands->elements()) {
    const int index = static_cast<int>(tools.size());
    auto tool = ReadCommand(command, index);
    if (!tool.ok()) return tool.status();
    const auto has_its_name = [&tool](const auto& other) { return other.name == tool->name; };
    if (std::any_of(tools.begin(), tools.end(), has_its_name) ||
        std::any_of(kBuiltIn.begin(), kBuiltIn.end(), has_its_name)) {
      return Wrong(index, StrCat(".name: there is another tool ", tool->name));
    }
    tools.push_back(*std::move(tool));
  }
  return tools;
}

std::vector<ToolSpec> ToolSpecs(const std::vector<CommandTool>& commands) {
  std::vector<ToolSpec> specs;
  for (const BuiltIn& tool : kBuiltIn) {
    specs.push_back({.name = std::string(tool.name),
                     .description = tool.description,
                     .parameters = tool.parameters});
  }
  for (const CommandTool& tool : commands) {
    specs.push_back(
        {.name = tool.name, .description = tool.description, .parameters = tool.parameters});
  }
  return specs;
}

}  // namespace god33::letta
