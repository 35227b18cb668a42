#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "amqp/connection.h"
#include "amqp/topology.h"
#include "pg/connection.h"
#include "rpc/process.h"
#include "services/letta-bridge/settings.h"

namespace god33::letta {

// What letta-bridge is told. Each option has a variable of the environment; --help lists them.
struct Config {
  rpc::CommonOptions common{.listen = "127.0.0.1:50055"};
  std::string database_url;
  std::string database_role;
  std::string broker_url;
  std::string broker_ca_file;
  int heartbeat_seconds = 5;
  std::string exchange = "bloodbank.events.v1";
  std::string handoff_queue = "letta_handoff_queue";
  std::string bridge_queue = "letta_bridge_queue";
  std::string queue_type = "quorum";
  std::string queue_arguments;
  std::string letta_url;
  std::string letta_token;
  std::string model = "openai-compatible/scripted";
  std::string agent_types =
      "python-dev,rust-dev,ts-dev,frontend-dev,qa-engineer,mise-architect,service-dev";
  int agents_per_type = 10;
  int most_runs = 64;
  int most_delegations = 3;
  int checkpoint_messages = 50;
  int checkpoint_seconds = 600;
  int checkpoints_kept = 20;
  int stall_seconds = 300;
  int most_recoveries = 5;
  bool recovery = true;
  std::string workspace;
  std::string commands_file;
  bool reflection = true;

  pg::Config Database(const std::string& part) const;
  amqp::Config Broker() const;

  // InvalidArgument when the queues' arguments can't be read.
  absl::StatusOr<std::vector<amqp::Queue>> Queues() const;

  // InvalidArgument when the list of types or the file of commands can't be read.
  absl::StatusOr<Settings> WorkSettings() const;
};

// Ends the process after --help (exit code 0) or on a mistake (2).
Config ParseConfig(int argc, char** argv);

}  // namespace god33::letta
