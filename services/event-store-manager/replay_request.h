#pragma once

#include "absl/status/statusor.h"
#include "god33/store/v1/replay.pb.h"
#include "services/event-store-manager/replay_store.h"

namespace god33::manager {

inline constexpr char kReplayExchange[] = "bloodbank.replay.v1";

// Checks and reads a request, given the positions that the log has and the name of Bloodbank's exchange.
// INVALID_ARGUMENT names the field; OUT_OF_RANGE (RETENTION), too: what it asks for was dropped.
absl::StatusOr<ReplayOrder> ReadOrder(const store::v1::StartReplayRequest& request,
                                      const LogRange& log, const std::string& live_exchange);

void ToProto(const ReplayJob& job, store::v1::Replay& replay);

}  // namespace god33::manager
