#pragma once

#include <string>

#include "absl/status/status.h"
#include "god33/letta/v1/letta_bridge.pb.h"
#include "pg/connection.h"

// Checkpoints, for the API. Errors as LettaBridgeService says.

namespace god33::letta {

absl::Status ListCheckpoints(pg::Connection& connection,
                             const v1::ListLettaCheckpointsRequest& request,
                             v1::ListLettaCheckpointsResponse& response);

// With its memory. NOT_FOUND (CHECKPOINT_NOT_FOUND); OUT_OF_RANGE (RETENTION).
absl::Status ReadCheckpoint(pg::Connection& connection,
                            const v1::GetLettaCheckpointRequest& request,
                            v1::LettaCheckpoint& checkpoint);

// The checkpoint of an agent of a caller's own before any task: what InsertOwnAgent was told.
std::string InitialCheckpointId(const std::string& instance_id);

}  // namespace god33::letta
