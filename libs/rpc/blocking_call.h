#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>

#include "absl/status/status.h"
#include "auth/principal.h"
#include "base/executor.h"

namespace god33::rpc {

// What a call does that waits, e.g. for the database. Its status is the call's; the response is filled by
// whoever made the function.
using BlockingWork = std::function<absl::Status(const auth::Principal& caller)>;

// Answers a unary call by running `work` on `executor`, if the caller still waits by then. Refused without
// running it: a principal that can't be read or is limited to projects (PERMISSION_DENIED; projects are not
// enforced in this version), and when `executor` is full (RESOURCE_EXHAUSTED, BUSY).
grpc::ServerUnaryReactor* RunBlocking(grpc::CallbackServerContext* context, Executor& executor,
                                      BlockingWork work);

}  // namespace god33::rpc
