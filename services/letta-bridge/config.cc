#include "services/letta-bridge/config.h"

#include <CLI/CLI.hpp>
#include <fstream>
#include <sstream>

#include "absl/strings/str_split.h"
#include "base/error.h"
#include "base/strings.h"
#include "reaction/reactor.h"

namespace god33::letta {

pg::Config Config::Database(const std::string& part) const {
  return {.url = database_url,
          .application_name = StrCat("letta-bridge ", part),
          .role = database_role,
          .settings = reaction::DatabaseSettings()};
}

amqp::Config Config::Broker() const {
  return {.url = broker_url,
          .name = "letta-bridge",
          .ca_file = broker_ca_file,
          .heartbeat = absl::Seconds(heartbeat_seconds)};
}

absl::StatusOr<std::vector<amqp::Queue>> Config::Queues() const {
  auto handoffs = amqp::MakeQueue(handoff_queue, queue_type, {}, queue_arguments);
  if (!handoffs.ok()) return handoffs.status();
  handoffs->bindings = {{exchange, "bmad.workflow.handoff.#"},
                        {exchange, "agent.handoff.requested"}};
  auto answers = amqp::MakeQueue(bridge_queue, queue_type, {}, queue_arguments);
  if (!answers.ok()) return answers.status();
  answers->bindings = {{exchange, "agent.feedback.#"}};
  return std::vector<amqp::Queue>{*std::move(handoffs), *std::move(answers)};
}

absl::StatusOr<Settings> Config::WorkSettings() const {
  Settings settings{.model = model,
                    .agents_per_type = agents_per_type,
                    .most_runs = most_runs,
                    .checkpoint_messages = checkpoint_messages,
                    .checkpoint_time = absl::Seconds(checkpoint_seconds),
                    .checkpoints_kept = checkpoints_kept,
                    .stall = absl::Seconds(stall_seconds),
                    .recovery = recovery,
                    .most_recoveries = most_recoveries,
                    .workspace = workspace};
  for (const absl::string_view type : absl::StrSplit(agent_types, ',', absl::SkipWhitespace())) {
    settings.agent_types.emplace_back(type.data(), type.size());
  }
  if (settings.agent_types.empty()) return InvalidArgument("GOD33_LETTA_AGENT_TYPES names no type");
  if (commands_file.empty()) return settings;
  std::ifstream file(commands_file);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return InvalidArgument(StrCat("GOD33_LETTA_COMMANDS: can't read ", commands_file));
  auto commands = ReadCommandTools(text.str());
  if (!commands.ok()) return Prefixed(commands.status(), StrCat(commands_file, ": "));
  settings.commands = *std::move(commands);
  return settings;
}

Config ParseConfig(int argc, char** argv) {
  Config config;
  CLI::App app{"letta-bridge: turns hand-offs to letta-* into work of persistent Letta agents."};
  rpc::AddCommonOptions(app, config.common);
  const auto add = [&app](const char* flag, auto& value, const char* variable, const char* help) {
    return app.add_option(flag, value, help)->envname(variable)->capture_default_str();
  };
  add("--database-url", config.database_url, "DATABASE_URL",
      "postgresql://user:password@host:port/database of the primary; by the environment, since "
      "others "
      "can read arguments")
      ->required();
  add("--database-role", config.database_role, "GOD33_DATABASE_ROLE",
      "Role to take after logging in; empty: the login's own");
  add("--rabbitmq-url", config.broker_url, "RABBITMQ_URL",
      "amqp://user:password@host:port/vhost, or amqps:// for TLS; by the environment")
      ->required();
  add("--rabbitmq-ca-file", config.broker_ca_file, "GOD33_RABBITMQ_CA_FILE",
      "Certificate authorities for amqps; empty: the system's");
  add("--heartbeat", config.heartbeat_seconds, "GOD33_RABBITMQ_HEARTBEAT",
      "Seconds between heartbeats of the broker")
      ->check(CLI::Range(1, 600));
  add("--exchange", config.exchange, "GOD33_EXCHANGE", "Bloodbank's topic exchange");
  add("--handoff-queue", config.handoff_queue, "GOD33_LETTA_HANDOFF_QUEUE", "Queue of hand-offs");
  add("--bridge-queue", config.bridge_queue, "GOD33_LETTA_BRIDGE_QUEUE",
      "Queue of questions and answers");
  add("--queue-type", config.queue_type, "GOD33_LETTA_QUEUE_TYPE",
      "quorum, classic, or existing: take the queues with whatever arguments they have")
      ->check(CLI::IsMember({"quorum", "classic", "existing"}));
  add("--queue-arguments", config.queue_arguments, "GOD33_LETTA_QUEUE_ARGUMENTS",
      "More queue arguments, as JSON");
  add("--letta-url", config.letta_url, "LETTA_SERVER_URL",
      "ws://host:port of a Letta App Server, wss:// for TLS")
      ->required();
  add("--letta-token", config.letta_token, "GOD33_LETTA_TOKEN",
      "Bearer token of the App Server; by the environment; empty: none");
  add("--letta-model", config.model, "GOD33_LETTA_MODEL", "Model of new agents, in Letta's words");
  add("--agent-types", config.agent_types, "GOD33_LETTA_AGENT_TYPES",
      "Types of agents that there are, with commas; a hand-off to letta-TYPE of another is "
      "rejected");
  add("--agents-per-type", config.agents_per_type, "GOD33_LETTA_AGENTS_PER_TYPE",
      "Most agents of one type for one project; further hand-offs wait")
      ->check(CLI::Range(1, 10'000));
  add("--max-sessions", config.most_runs, "GOD33_LETTA_MAX_SESSIONS",
      "Most tasks that this process works on at once")
      ->check(CLI::Range(1, 2000));
  add("--max-delegations", config.most_delegations, "GOD33_LETTA_MAX_DELEGATIONS",
      "Hand-offs to one agent among the causes of a hand-off to it from which on it is rejected")
      ->check(CLI::Range(1, 1000));
  add("--checkpoint-messages", config.checkpoint_messages, "GOD33_CHECKPOINT_MESSAGES",
      "Messages after which a checkpoint is saved")
      ->check(CLI::Range(1, 100'000));
  add("--checkpoint-seconds", config.checkpoint_seconds, "GOD33_CHECKPOINT_SECONDS",
      "Seconds after which a checkpoint is saved")
      ->check(CLI::Range(1, 86'400));
  add("--checkpoints-kept", config.checkpoints_kept, "GOD33_CHECKPOINTS_KEPT",
      "Newest checkpoints of a task under way that can be gone on from; 0: all")
      ->check(CLI::Range(0, 1'000'000));
  add("--stall-seconds", config.stall_seconds, "GOD33_LETTA_STALL_SECONDS",
      "Silence of an agent after which its session counts as failed")
      ->check(CLI::Range(1, 86'400));
  add("--recovery", config.recovery, "ENABLE_CHECKPOINT_RECOVERY",
      "Whether a failed session goes on from its last checkpoint; otherwise its task is blocked");
  add("--max-recoveries", config.most_recoveries, "GOD33_LETTA_MAX_RECOVERIES",
      "Recoveries in a row, without a new checkpoint, after which a task is blocked")
      ->check(CLI::Range(1, 1000));
  add("--workspace", config.workspace, "GOD33_LETTA_WORKSPACE",
      "Directory below which agents work: context.worktree of a hand-off, or one of the task's "
      "own; on "
      "the machine of the App Server, too")
      ->required();
  add("--commands", config.commands_file, "GOD33_LETTA_COMMANDS",
      "JSON file of programs that agents may run; empty: none");
  add("--reflection", config.reflection, "GOD33_REFLECTION", "Serve gRPC reflection");
  rpc::ParseOrExit(app, argc, argv);
  return config;
}

}  // namespace god33::letta
