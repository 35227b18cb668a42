#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace god33::rpc {

// The one place where errors enter and leave gRPC. The reason, field and metadata of an error
// (base/error.h) travel as google.rpc.ErrorInfo {reason, domain "god33", metadata} inside
// google.rpc.Status, the form of AIP-193; the field is metadata.field.
grpc::Status ToGrpc(const absl::Status& status);

// The reverse. An error of a server that is no part of this project has no reason of its own; then
// ReasonOf() gives the code's name.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace god33::rpc
