#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace god33::auth {

// On whose behalf a request is made, and what he may see. The gateway establishes it; it travels to
// the services as gRPC metadata, so that they need no tokens of their own.
struct Principal {
  std::string subject = "anonymous";
  bool all_projects = true;
  std::vector<std::string> projects;  // only when not all_projects
};

using Metadata = std::vector<std::pair<std::string, std::string>>;

// The metadata that carries the principal: x-god33-subject and x-god33-projects ("*", or a JSON
// array).
Metadata ToMetadata(const Principal& principal);

// The reverse. Metadata without a principal is a direct gRPC caller: anonymous, all projects (until
// tokens are required, DESIGN.md, decision 26). Unauthenticated if it can't be read: fails closed.
absl::StatusOr<Principal> FromMetadata(const std::multimap<std::string, std::string>& metadata);

}  // namespace god33::auth
