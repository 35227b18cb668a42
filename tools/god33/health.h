#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace god33::cli {

// A gRPC server to be asked.
struct Service {
  std::string name;
  std::string address;
};

struct Health {
  std::string status;  // serving, not_serving or unreachable
  std::map<std::string, std::string>
      components;      // those it has: "postgresql" -> serving, not_serving
  std::string detail;  // why it is unreachable
};

// Asks all services at once by grpc.health.v1, for themselves and for the components they may have;
// in the order of `services`. Takes at most `timeout`.
std::vector<Health> AskHealth(const std::vector<Service>& services, absl::Duration timeout);

}  // namespace god33::cli
