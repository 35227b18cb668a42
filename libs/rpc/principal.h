#pragma once

#include <grpcpp/server_context.h>

#include "absl/status/statusor.h"
#include "auth/principal.h"

namespace god33::rpc {

// On whose behalf a call is made (auth/principal.h).
absl::StatusOr<auth::Principal> PrincipalOf(const grpc::ServerContextBase& context);

// The same for services that can't limit what they show or do to projects: PERMISSION_DENIED if the
// principal is limited to some, who must not see all.
absl::StatusOr<auth::Principal> CallerOf(const grpc::CallbackServerContext& context);

}  // namespace god33::rpc
