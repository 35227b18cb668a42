#include "tools/god33/command_line.h"

#include <CLI/CLI.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "tools/god33/agent.h"
#include "tools/god33/arguments.h"
#include "tools/god33/chaos.h"
#include "tools/god33/checkpoint.h"
#include "tools/god33/completion.h"
#include "tools/god33/dlq.h"
#include "tools/god33/event.h"
#include "tools/god33/exit_code.h"
#include "tools/god33/feedback.h"
#include "tools/god33/letta_session.h"
#include "tools/god33/letta_task.h"
#include "tools/god33/projection.h"
#include "tools/god33/report.h"
#include "tools/god33/retention.h"
#include "tools/god33/session.h"
#include "tools/god33/status.h"
#include "tools/god33/time_spec.h"
#include "tools/god33/workflow.h"

namespace god33::cli {
namespace {

constexpr char kAbout[] = "god33: the 33GOD event backbone on the command line.";

constexpr char kMore[] =
    "Data goes to standard output, prose to standard error.\n"
    "\n"
    "Examples:\n"
    "  god33 status --watch\n"
    "  god33 event publish bmad.workflow.started --json @started.json\n"
    "  god33 event list --type 'agent.*' --since 15m -o jsonl\n"
    "  god33 event schema bmad.workflow.started\n"
    "  god33 workflow list --running\n"
    "  god33 agent list --status active\n"
    "  god33 task list --status open\n"
    "  god33 feedback list\n"
    "  god33 dlq list --reason id_conflict\n"
    "  god33 projection verify\n"
    "\n"
    "Environment:\n"
    "  RABBITMQ_URL                  the broker: amqp://user:password@host:port/vhost\n"
    "  GOD33_RABBITMQ_CA_FILE        certificate authorities for amqps; default: the system's\n"
    "  GOD33_EXCHANGE                Bloodbank's exchange\n"
    "  GOD33_EVENT_STORE_API_ADDR    host:port that is asked for events, workflows and agents\n"
    "  GOD33_EVENT_STORE_MANAGER_ADDR  host:port, for dlq, event replay, projection,\n"
    "                                retention\n"
    "  GOD33_LETTA_BRIDGE_ADDR       host:port, for agent create, assign and pool, task, session,\n"
    "                                feedback, checkpoint\n"
    "  GOD33_<NAME>_ADDR             host:port of the other services, for `status`\n"
    "  GOD33_OUTPUT                  output format\n"
    "  NO_COLOR                      no color\n"
    "\n"
    "Exit codes:\n"
    "  0  done\n"
    "  1  failed\n"
    "  2  usage: bad arguments, or input that is refused\n"
    "  3  not found\n"
    "  4  conflict\n"
    "  5  unavailable: a service or the broker can't be reached, or is too slow or busy\n"
    "\n"
    "More: god33 SUBCOMMAND --help";

std::string CheckTimeout(const std::string& text) {
  const auto timeout = ParseTimeout(text);
  return timeout.ok() ? "" : std::string(MessageOf(timeout.status()));
}

void AddGlobalOptions(CLI::App& app, GlobalOptions& options) {
  app.add_option(
         "-o,--output", options.format,
         "table: for people; json: what REST answers; jsonl: one item of a list a line; yaml")
      ->envname("GOD33_OUTPUT")
      ->check(CLI::IsMember({"table", "json", "jsonl", "yaml"}))
      ->capture_default_str();
  app.add_flag("--no-color", options.no_color, "No color, also on a terminal");
  app.add_option("--api", options.api_address, "host:port of event-store-api's gRPC server")
      ->envname("GOD33_EVENT_STORE_API_ADDR")
      ->check(IsText())
      ->type_name("ADDRESS")
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--timeout",
         [&options](const std::string& text) { options.timeout = *ParseTimeout(text); },
         "How long to wait for an answer or a confirm")
      ->check(CLI::Validator(CheckTimeout, ""))
      ->type_name("TIME")
      ->default_str("10s");
}

void AddCommands(CLI::App& app, Command& chosen) {
  AddEventCommands(app, chosen);
  AddWorkflowCommands(app, chosen);
  AddAgentCommands(app, chosen);
  AddTaskCommands(app, chosen);
  AddSessionCommands(app, chosen);
  AddFeedbackCommands(app, chosen);
  AddCheckpointCommands(app, chosen);
  AddDeadLetterCommands(app, chosen);
  AddProjectionCommands(app, chosen);
  AddRetentionCommands(app, chosen);
  AddStatusCommand(app, chosen);
  AddChaosCommands(app, chosen);
  AddCompletionCommand(app, chosen);
}

// The command that was being read when reading failed: "god33 event list".
std::string CommandOf(const CLI::App& app) {
  std::string name = "god33";
  for (auto commands = app.get_subcommands(); !commands.empty();
       commands = commands.back()->get_subcommands()) {
    StrAppend(&name, " ", commands.back()->get_name());
  }
  return name;
}

absl::Status UsageError(const CLI::App& app, const CLI::ParseError& error) {
  // A misspelled word is what is wrong, more than that the right one is missing.
  const std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
  const std::string message =
      unknown.empty() ? error.what() : StrCat("not expected: \"", Clip(unknown.front(), 80), "\"");
  return WithHint(MakeError(absl::StatusCode::kInvalidArgument, "USAGE", message),
                  StrCat("`", CommandOf(app), " --help` tells how it is used"));
}

// Prints help or the version, or says what is wrong with the arguments.
absl::Status EndOfParsing(const CLI::App& app, const CLI::ParseError& error, Output& out) {
  if (error.get_exit_code() != 0) return UsageError(app, error);
  std::ostringstream text;
  app.exit(error, text, text);
  out.Write(text.str());
  return out.Flush();
}

Screen WithoutColor(Screen screen, bool no_color) {
  screen.color = screen.color && !no_color;
  return screen;
}

}  // namespace

int Run(int argc, const char* const* argv, const Streams& streams) {
  GlobalOptions options;
  Command command;
  CLI::App app(kAbout, "god33");
  app.footer(kMore);
  app.require_subcommand(1);
  app.set_version_flag("--version", "god33 " GOD33_VERSION);
  app.get_formatter()->column_width(34);
  AddGlobalOptions(app, options);
  AddCommands(app, command);

  Output out(streams.out);
  Output prose(streams.err);
  absl::Status status;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    command = nullptr;
    status = EndOfParsing(app, error, out);
  }
  const Screen prose_screen = WithoutColor(streams.err_screen, options.no_color);
  if (status.ok() && command) {
    SystemClock clock;
    TimeOrderedIds ids(clock);
    Session session{.options = options,
                    .paper = {.format = FormatNamed(options.format),
                              .screen = WithoutColor(streams.out_screen, options.no_color),
                              .out = out},
                    .prose = prose,
                    .prose_screen = prose_screen,
                    .clock = clock,
                    .ids = ids};
    status = command(session);
  }
  if (!status.ok()) {
    prose.Write(Report(status, prose_screen.color));
    prose.Flush().IgnoreError();  // nobody can be told
  }
  return static_cast<int>(ExitCodeOf(status));
}

}  // namespace god33::cli
