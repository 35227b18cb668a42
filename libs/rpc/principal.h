#pragma once

#include <grpcpp/server_context.h>

#include "absl/status/statusor.h"
#include "auth/principal.h"

namespace god33::rpc {

// On whose behalf a call is made (auth/principal.h).
absl::StatusOr<auth::Principal> PrincipalOf(const grpc::ServerContextBase& context);

}  // namespace god33::rpc
