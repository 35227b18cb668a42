#pragma once

#include <string>

#include "rpc/process.h"
#include "services/event-store-api/reader.h"

namespace god33::api {

struct Config {
  rpc::CommonOptions common{.listen = "127.0.0.1:50052"};
  std::string database_url;
  std::string database_role = "god33_reader";
  std::size_t connections = 8;
  int query_timeout_ms = 5000;
  bool reflection = true;

  Reader::Options ReaderOptions() const;
};

// Reads the command line and the environment. Ends the process after --help (0) or on a mistake
// (2).
Config ParseConfig(int argc, char** argv);

}  // namespace god33::api
