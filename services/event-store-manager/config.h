#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "amqp/connection.h"
#include "rpc/process.h"
#include "services/event-store-manager/bus_reader.h"
#include "services/event-store-manager/log_writer.h"

namespace god33::manager {

struct Config {
  rpc::CommonOptions common{.listen = "127.0.0.1:50051"};
  std::string database_url;
  std::string database_role = "god33_writer";
  std::string broker_url;
  std::string broker_ca_file;
  int heartbeat_seconds = 5;
  std::string exchange = "bloodbank.events.v1";
  std::string queue = "event_store_manager_queue";
  std::string queue_type = "quorum";
  std::string queue_arguments;  // JSON; added to what the type implies
  bool single_active_consumer = true;
  std::string dead_letter_queue = "event_store_manager_dlq";
  std::string dead_letter_queue_type = "classic";
  std::string dead_letter_queue_arguments;
  std::uint16_t prefetch = 4000;
  std::size_t batch_events = 1000;
  std::size_t max_event_bytes = 16 << 20;
  bool event_replay = true;
  int retention_months = 0;  // 0: the log is kept for ever
  bool reflection = true;

  pg::Config Database(const std::string& part) const;
  amqp::Config Broker(const std::string& part) const;

  // InvalidArgument when queue arguments can't be read.
  absl::StatusOr<Topology> BusTopology() const;
};

// Reads the command line and the environment. Ends the process after --help (0) or on a mistake
// (2).
Config ParseConfig(int argc, char** argv);

}  // namespace god33::manager
