#include "tools/god33/workflow_steering.h"

#include <memory>
#include <string>

#include "base/error.h"
#include "tools/god33/arguments.h"
#include "tools/god33/time_spec.h"
#include "tools/god33/watch.h"
#include "tools/god33/workflow_steps.h"

namespace god33::cli {
namespace {

constexpr char kStartHelp[] =
    "Prints the workflow's id, which all further steps take. Of each step the parents are found in "
    "the\n"
    "log, so that causation runs through the whole workflow.\n"
    "\n"
    "Example:\n"
    "  workflow=$(god33 workflow start --project hammerspace --from bmad-analyst)";

constexpr char kPhaseHelp[] =
    "Examples:\n"
    "  god33 workflow phase $workflow analysis --next planning --from bmad-analyst\n"
    "  god33 workflow phase $workflow solutioning --summary 'One service, one table'";

constexpr char kHandoffHelp[] =
    "Prints the id of the event that hands the task over. With --wait it follows the work instead: "
    "a\n"
    "line for each thing that happens on standard error, and at the end the payload of the "
    "agent's\n"
    "agent.letta.task.completed on standard output. A question shows the command that answers it. "
    "When\n"
    "the connection breaks it goes on by itself. Exit codes with --wait: 0 completed; 1 blocked, "
    "failed,\n"
    "rejected, cancelled or interrupted; 5 the timeout passed, or the API can't be reached.\n"
    "\n"
    "Examples:\n"
    "  god33 workflow handoff $workflow --from bmad-architect --to letta-python-dev \\\n"
    "    --task 'Implement the login page' --json @context.json --deadline 2d --priority high\n"
    "  jq .context task.json | god33 workflow handoff $workflow --from bmad-architect \\\n"
    "    --to letta-python-dev --task 'Implement the login page' --json @- --wait | jq .artifacts";

constexpr char kWaitHelp[] =
    "For a hand-off as `handoff --wait` does: the newest one, or that of --handoff.\n"
    "\n"
    "Example:\n"
    "  god33 workflow wait 6f9619ff-8b86-4011-b42d-00c04fc964ff --timeout 30m";

constexpr char kValidateHelp[] =
    "What is validated is the completed work of the newest hand-off, or that of --handoff.\n"
    "\n"
    "Example:\n"
    "  god33 workflow validate $workflow --from bmad-code-reviewer";

constexpr char kCompleteHelp[] =
    "Example:\n"
    "  god33 workflow complete $workflow --summary 'The login page is built, tested and reviewed'";

constexpr char kStatusHelp[] =
    "Hand-offs with what became of them, and questions that are open. Other than `get`, which "
    "shows\n"
    "the projection, it is worked out of the log and shows what was said just now.\n"
    "\n"
    "Example:\n"
    "  god33 workflow status $workflow -o json | jq '.handoffs[] | {to_agent, state}'";

std::string CheckSpan(const std::string& text) {
  if (ParseTimeout(text).ok()) return "";
  const auto span = ParseSpan(text);
  if (span.ok() && *span > absl::ZeroDuration()) return "";
  return "expected a span of time such as 90s, 2h or 7d";
}

absl::Duration ReadSpan(const std::string& text) {
  const auto timeout = ParseTimeout(text);
  return timeout.ok() ? *timeout : *ParseSpan(text);
}

void AddTimeout(CLI::App& command, std::optional<absl::Duration>& timeout, const char* help) {
  command
      .add_option_function<std::string>(
          "--timeout", [&timeout](const std::string& text) { timeout = ReadSpan(text); }, help)
      ->check(CLI::Validator(CheckSpan, ""))
      ->type_name("TIME");
}

void AddId(CLI::App& command, std::string& id) {
  command.add_option("ID", id, "The workflow's id")->required()->check(IsUuid());
}

void AddText(CLI::App& command, const char* name, std::string& text, const char* help,
             bool required = false) {
  command.add_option(name, text, help)->required(required)->check(IsText())->type_name("TEXT");
}

// --from and what else every step has.
CLI::Option* AddStep(CLI::App& command, StepOptions& step, bool from_required = false) {
  command.add_option("--from", step.from, "The agent that acts, e.g. bmad-architect")
      ->required(from_required)
      ->check(IsText())
      ->type_name("AGENT");
  AddRepeated(command, "--correlation-id", step.parents,
              "The event's parent, instead of those that would be found")
      ->check(IsUuid());
  command
      .add_option("--request-id", step.request_id,
                  "A name for this step: said again under it within 7 days, it counts once")
      ->check(IsText())
      ->type_name("NAME");
  return command.add_flag("--dry-run", step.dry_run,
                          "Check it and print the event it would be; add nothing");
}

void AddStart(CLI::App& noun, Command& chosen) {
  CLI::App& start = AddCommand(noun, "start", "Start a workflow and print its id", kStartHelp);
  const auto options = std::make_shared<StartOptions>();
  AddText(start, "--project", options->project, "The project that owns it", true);
  AddText(start, "--phase", options->phase, "The phase it begins with; default: analysis");
  start.add_option("--id", options->step.workflow, "The workflow's id; default: a new one")
      ->check(IsUuid());
  AddStep(start, options->step);
  start.callback([options, &chosen] {
    chosen = [options](Session& session) { return StartWorkflow(*options, session); };
  });
}

void AddPhase(CLI::App& noun, Command& chosen) {
  CLI::App& phase = AddCommand(noun, "phase", "Say that a phase is completed", kPhaseHelp);
  const auto options = std::make_shared<PhaseOptions>();
  AddId(phase, options->step.workflow);
  phase.add_option("PHASE", options->phase, "The phase that is done")->required()->check(IsText());
  AddText(phase, "--next", options->next,
          "The phase that begins now; default: it stays in this one");
  AddText(phase, "--summary", options->summary, "What it came to");
  AddStep(phase, options->step);
  phase.callback([options, &chosen] {
    chosen = [options](Session& session) { return CompletePhase(*options, session); };
  });
}

void AddHandoff(CLI::App& noun, Command& chosen) {
  CLI::App& handoff =
      AddCommand(noun, "handoff", "Hand a task over to another agent", kHandoffHelp);
  const auto options = std::make_shared<HandoffOptions>();
  AddId(handoff, options->step.workflow);
  handoff.add_option("--to", options->to, "Who shall take it: letta-* is the Letta bridge")
      ->required()
      ->check(IsText())
      ->type_name("AGENT");
  AddText(handoff, "--task", options->task, "What is to be done", true);
  AddText(handoff, "--task-type", options->task_type, "Kind of task, e.g. implement_feature");
  handoff
      .add_option("--json", options->context,
                  "The task's context, a JSON object: text, @file, or - or @- for standard input")
      ->check(IsText())
      ->type_name("JSON");
  handoff
      .add_option("--deadline", options->deadline,
                  "When it must be done: RFC 3339, or how long from now: 2h, 7d")
      ->check(IsText())
      ->type_name("TIME");
  AddText(handoff, "--priority", options->priority, "low, normal, high or another word");
  CLI::Option* dry_run = AddStep(handoff, options->step, /*from_required=*/true);
  handoff.add_flag("--wait", options->wait, "Follow the work to its end")->excludes(dry_run);
  AddTimeout(handoff, options->timeout,
             "With --wait: how long to wait for the end; default: as long as it takes");
  handoff.callback([options, &chosen] {
    chosen = [options](Session& session) { return RequestHandoff(*options, session); };
  });
}

void AddWait(CLI::App& noun, Command& chosen) {
  CLI::App& wait = AddCommand(noun, "wait", "Follow a hand-off to its end", kWaitHelp);
  const auto options = std::make_shared<WaitOptions>();
  AddId(wait, options->workflow);
  wait.add_option("--handoff", options->handoff, "The event that handed the task over")
      ->check(IsUuid());
  AddTimeout(wait, options->timeout, "How long to wait; default: as long as it takes");
  wait.callback([options, &chosen] {
    chosen = [options](Session& session) { return WaitForWorkflow(*options, session); };
  });
}

void AddValidate(CLI::App& noun, Command& chosen) {
  CLI::App& validate =
      AddCommand(noun, "validate", "Ask for a review of completed work", kValidateHelp);
  const auto options = std::make_shared<ValidateOptions>();
  AddId(validate, options->step.workflow);
  validate.add_option("--handoff", options->handoff, "The event that handed the work over")
      ->check(IsUuid());
  validate
      .add_option("--agent", options->agent,
                  "Whose work it is; default: the agent's to whom it was handed over")
      ->check(IsText())
      ->type_name("AGENT");
  AddStep(validate, options->step);
  validate.callback([options, &chosen] {
    chosen = [options](Session& session) { return RequestValidation(*options, session); };
  });
}

void AddComplete(CLI::App& noun, Command& chosen) {
  CLI::App& complete =
      AddCommand(noun, "complete", "Say that the whole workflow is done", kCompleteHelp);
  const auto options = std::make_shared<CompleteOptions>();
  AddId(complete, options->step.workflow);
  AddText(complete, "--summary", options->summary, "What was achieved");
  AddStep(complete, options->step);
  complete.callback([options, &chosen] {
    chosen = [options](Session& session) { return CompleteWorkflow(*options, session); };
  });
}

void AddStatus(CLI::App& noun, Command& chosen) {
  CLI::App& status = AddCommand(noun, "status", "Where a workflow is just now", kStatusHelp);
  const auto id = std::make_shared<std::string>();
  AddId(status, *id);
  const auto watch = AddWatch(status);
  status.callback([id, watch, &chosen] {
    chosen = Watched(*watch, [id](Session& session) { return ShowWorkflowStatus(*id, session); });
  });
}

}  // namespace

void AddSteeringCommands(CLI::App& noun, Command& chosen) {
  AddStart(noun, chosen);
  AddPhase(noun, chosen);
  AddHandoff(noun, chosen);
  AddWait(noun, chosen);
  AddValidate(noun, chosen);
  AddComplete(noun, chosen);
  AddStatus(noun, chosen);
}

}  // namespace god33::cli
