#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/process.h"
#include "services/gateway/cors.h"

namespace god33::gateway {

struct Config {
  rpc::CommonOptions common{.listen = "127.0.0.1:8080"};
  std::map<std::string, std::string> addresses;  // by service: host:port, or empty
  absl::Duration request_timeout = absl::Seconds(30);
  absl::Duration drain_timeout = absl::Seconds(5);
  std::size_t max_body_bytes = 17 << 20;
  std::size_t max_connections = 10'000;
  Cors cors;
  std::size_t max_live_connections = 2'000;
};

// Reads the command line and the environment; `services` are the names that may have an address.
// Ends the process after --help (0) or on a mistake (2).
Config ParseConfig(int argc, char** argv, const std::set<std::string>& services);

// "event-store-api" has its address in GOD33_EVENT_STORE_API_ADDR.
std::string AddressVariable(std::string_view service);

// "30s", "500ms", "1m30s", or seconds without a unit: more than zero, at most an hour.
absl::StatusOr<absl::Duration> ParseTimeout(std::string_view text);

}  // namespace god33::gateway
