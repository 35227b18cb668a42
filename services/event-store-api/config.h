#pragma once

#include <string>

#include "rpc/process.h"
#include "services/event-store-api/reader.h"
#include "services/event-store-api/stream_hub.h"

namespace god33::api {

struct Config {
  rpc::CommonOptions common{.listen = "127.0.0.1:50052"};
  std::string database_url;
  std::string database_role = "god33_reader";
  std::size_t connections = 8;
  int query_timeout_ms = 5000;
  std::size_t cache_mib = 64;
  bool reflection = true;
  std::size_t streams = 2000;
  std::size_t stream_readers = 2;
  std::size_t stream_events = 20'000;
  std::size_t stream_mib = 64;
  int stream_heartbeat_ms = 30'000;
  int stream_stall_ms = 30'000;

  StreamHub::Options StreamOptions() const;
  Reader::Options ReaderOptions() const;
};

// Reads the command line and the environment. Ends the process after --help (0) or on a mistake
// (2).
Config ParseConfig(int argc, char** argv);

}  // namespace god33::api
