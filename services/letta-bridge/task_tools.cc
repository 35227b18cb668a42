#include "services/letta-bridge/task_tools.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/strings.h"
#include "json/text.h"
#include "json/text_of.h"
#include "json/value.h"
#include "json/write.h"
#include "services/letta-bridge/tool_journal.h"

namespace god33::letta {
namespace {

constexpr std::int64_t kMostSeconds = 366 * 24 * 3600;

// What an agent says goes into the database.
std::string CleanTextOf(const json::Value& object, std::string_view key) {
  return json::CleanText(TextOf(object, key));
}

std::vector<std::string> TextsOf(const json::Value& object, std::string_view key) {
  std::vector<std::string> texts;
  const auto value = object.Find(key);
  if (!value || value->kind() != json::Kind::kArray) return texts;
  for (const json::Value element : value->elements()) {
    if (element.is_string()) texts.push_back(json::CleanText(element.ToString()));
  }
  return texts;
}

std::string JsonOf(const json::Value& object, std::string_view key, json::Kind kind) {
  const auto value = object.Find(key);
  return value && value->kind() == kind ? std::string(value->text()) : std::string();
}

ToolResult Wrong(std::string_view what) {
  return {.text = std::string(what), .is_error = true};
}

ToolResult Missing(std::string_view field) {
  return Wrong(StrCat(field, ": expected a text"));
}

// `artifacts` as the event has them: what isn't as it should be is the agent's mistake, not the event's.
absl::StatusOr<std::string> ReadArtifacts(const json::Value& arguments) {
  std::string text;
  json::Writer writer(text);
  writer.BeginArray();
  const auto artifacts = arguments.Find("artifacts");
  if (artifacts && !artifacts->is_null()) {
    if (artifacts->kind() != json::Kind::kArray)
      return InvalidArgument("artifacts: expected a list");
    for (const json::Value artifact : artifacts->elements()) {
      const std::string path = artifact.is_object() ? CleanTextOf(artifact, "path") : std::string();
      if (path.empty()) return InvalidArgument("artifacts: expected {type, path, status} in each");
      writer.BeginObject();
      writer.Key("type");
      writer.String(CleanTextOf(artifact, "type"));
      writer.Key("path");
      writer.String(path);
      writer.Key("status");
      writer.String(CleanTextOf(artifact, "status"));
      writer.EndObject();
    }
  }
  writer.EndArray();
  return text;
}

// `validation` likewise; empty: none.
absl::StatusOr<std::string> ReadValidation(const json::Value& arguments) {
  const auto validation = arguments.Find("validation");
  if (!validation || validation->is_null()) return std::string();
  if (!validation->is_object()) return InvalidArgument("validation: expected an object");
  std::string text;
  json::Writer writer(text);
  writer.BeginObject();
  for (const char* name : {"tests_passed", "lint_passed"}) {
    const auto passed = validation->Find(name);
    if (!passed || passed->is_null()) continue;
    if (passed->kind() != json::Kind::kBool) {
      return InvalidArgument(StrCat("validation.", name, ": expected true or false"));
    }
    writer.Key(name);
    writer.Bool(passed->ToBool());
  }
  const auto coverage = validation->Find("coverage_pct");
  if (coverage && !coverage->is_null()) {
    if (coverage->kind() != json::Kind::kNumber) {
      return InvalidArgument("validation.coverage_pct: expected a number");
    }
    writer.Key("coverage_pct");
    writer.Raw(coverage->text());
  }
  writer.EndObject();
  return text;
}

}  // namespace

absl::StatusOr<ToolResult> TaskTools::Run(const ToolCall& call) {
  const json::Value arguments = json::Value::Checked(call.arguments);
  if (call.name == kReportProgress) return ReportProgress(arguments);
  if (call.name == kAskHuman) return AskHuman(arguments);
  if (call.name == kCompleteTask) return CompleteTask(arguments);
  if (call.name == kReportBlocked) return ReportBlocked(arguments);
  if (call.name == kRequestHandoff) return RequestHandoff(arguments);
  const bool does_something =
      call.name == kWriteFile || workspace_.FindCommand(call.name) != nullptr;
  if (does_something) return RunJournaled(call);
  return workspace_.Run(call);
}

absl::StatusOr<ToolResult> TaskTools::RunJournaled(const ToolCall& call) {
  const CommandTool* command = workspace_.FindCommand(call.name);
  const bool idempotent = command == nullptr || command->idempotent;
  const auto& checkpoint = held_.task().checkpoint;
  JournalEntry entry;
  absl::Status status = held_.Write([&](pg::Connection& connection) -> absl::Status {
    auto begun = BeginCall(connection, held_.lease(), call, checkpoint ? checkpoint->sequence : 0,
                           idempotent);
    if (!begun.ok()) return begun.status();
    // A second try of this transaction finds what the first one wrote.
    entry.result = begun->result;
    entry.is_new = entry.is_new || begun->is_new;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  if (entry.result) return *entry.result;
  if (!entry.is_new && !idempotent) {
    outcome_.is_unknown = true;
    outcome_.asked =
        Asked{.question = StrCat("outcome_unknown: the bridge was interrupted while it ran ",
                                 call.name, ". Was it done? What shall the agent do?"),
              .context = call.arguments};
    return ToolResult{
        .text =
            "outcome_unknown: it was begun before an interruption, and nobody knows whether it was "
            "done. It was not run again. A human was asked: the answer is the next message.",
        .is_error = true};
  }
  ToolResult result = workspace_.Run(call);
  failpoint::Reached("before_result");
  status = held_.Write(
      [&](pg::Connection& connection) { return EndCall(connection, held_.lease(), call, result); });
  if (!status.ok()) return status;
  return result;
}

absl::StatusOr<ToolResult> TaskTools::ReportProgress(const json::Value& arguments) {
  const std::string summary = CleanTextOf(arguments, "summary");
  if (summary.empty()) return Missing("summary");
  progress_ = {.summary = summary,
               .files_modified = TextsOf(arguments, "files_modified"),
               .current_focus = CleanTextOf(arguments, "current_focus"),
               .next_steps = TextsOf(arguments, "next_steps")};
  absl::Status status = held_.Step([this](pg::Connection&, TaskEvents& events) {
    events.UpdateContext(progress_);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return ToolResult{.text = "noted"};
}

ToolResult TaskTools::AskHuman(const json::Value& arguments) {
  Asked asked{.question = CleanTextOf(arguments, "question"),
              .options = TextsOf(arguments, "options"),
              .fallback = CleanTextOf(arguments, "default")};
  if (asked.question.empty()) return Missing("question");
  if (const auto context = arguments.Find("context"); context && !context->is_null()) {
    asked.context = std::string(context->text());
  }
  const auto timeout = arguments.Find("timeout_seconds");
  if (timeout && timeout->kind() == json::Kind::kNumber) {
    const std::int64_t seconds = timeout->ToInt64().value_or(0);
    if (seconds < 1 || seconds > kMostSeconds) {
      return Wrong(StrCat("timeout_seconds: expected 1 to ", kMostSeconds));
    }
    if (asked.fallback.empty()) return Wrong("timeout_seconds: expected only with a default");
    asked.answer_by = clock_.Now() + absl::Seconds(seconds);
  }
  outcome_.asked = std::move(asked);
  return {.text = "A human was asked. End your turn now: the answer is the next message."};
}

ToolResult TaskTools::CompleteTask(const json::Value& arguments) {
  Completion completion{.summary = CleanTextOf(arguments, "summary"),
                        .next_action = CleanTextOf(arguments, "next_action")};
  if (completion.summary.empty()) return Missing("summary");
  auto artifacts = ReadArtifacts(arguments);
  if (!artifacts.ok()) return Wrong(MessageOf(artifacts.status()));
  auto validation = ReadValidation(arguments);
  if (!validation.ok()) return Wrong(MessageOf(validation.status()));
  completion.artifacts = *std::move(artifacts);
  completion.validation = *std::move(validation);
  progress_.summary = completion.summary;
  outcome_.completion = std::move(completion);
  return {.text = "The task counts as done. End your turn now."};
}

ToolResult TaskTools::ReportBlocked(const json::Value& arguments) {
  const std::string reason = CleanTextOf(arguments, "reason");
  if (reason.empty()) return Missing("reason");
  outcome_.blocked = std::pair(reason, CleanTextOf(arguments, "needs"));
  return {.text = "Noted. End your turn now."};
}

ToolResult TaskTools::RequestHandoff(const json::Value& arguments) {
  TurnOutcome::Handoff handoff{.to_agent = CleanTextOf(arguments, "to_agent"),
                               .description = CleanTextOf(arguments, "task_description"),
                               .context = JsonOf(arguments, "context", json::Kind::kObject)};
  if (handoff.to_agent.empty()) return Missing("to_agent");
  if (handoff.description.empty()) return Missing("task_description");
  outcome_.handoffs.push_back(std::move(handoff));
  return {.text = "It is sent when your turn ends."};
}

}  // namespace god33::letta
