#include "rpc/principal.h"

#include <map>
#include <string>

namespace god33::rpc {

absl::StatusOr<auth::Principal> PrincipalOf(const grpc::ServerContextBase& context) {
  std::multimap<std::string, std::string> metadata;
  for (const auto& [key, value] : context.client_metadata()) {
    metadata.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
  }
  return auth::FromMetadata(metadata);
}

absl::StatusOr<auth::Principal> CallerOf(const grpc::CallbackServerContext& context) {
  auto principal = PrincipalOf(context);
  if (principal.ok() && !principal->all_projects) {
    return absl::PermissionDeniedError("this version can't limit a caller to projects");
  }
  return principal;
}

}  // namespace god33::rpc
