#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "god33/store/v1/replay.pb.h"
#include "tools/god33/session.h"

namespace god33::cli {

// Filters that are empty are not given; on the command line an empty one is an error (arguments.h).
struct ReplayOptions {
  std::string workflow;
  std::string correlation;
  std::vector<std::string> types;
  std::string since;
  std::string until;
  std::optional<std::int64_t> from_position;
  std::optional<std::int64_t> to_position;
  std::string exchange;
  bool live = false;
  std::optional<int> rate;
  bool dry_run = false;
  bool detach = false;
  bool yes = false;
};

// The request, with `live_exchange` for --live. InvalidArgument when nothing narrows the replay, or for a
// time that can't be read.
absl::StatusOr<store::v1::StartReplayRequest> MakeRequest(const ReplayOptions& options,
                                                          const std::string& live_exchange,
                                                          absl::Time now);

// What became of a replay that has ended: OK if it is completed, else FAILED_PRECONDITION
// (REPLAY_FAILED) or CANCELLED (REPLAY_CANCELLED).
absl::Status OutcomeOf(const store::v1::Replay& replay);

// Starts a replay and, unless detached, shows how far it is until it has ended, then prints it. SIGINT
// and SIGTERM cancel it. Errors: those of the service; OutcomeOf().
absl::Status StartReplay(const ReplayOptions& options, Session& session);

absl::Status ListReplays(const std::string& state, const std::optional<int>& limit,
                         Session& session);
absl::Status GetReplay(const std::string& id, Session& session);

// As StartReplay for one that was started before; but a signal only ends the waiting: CANCELLED
// (INTERRUPTED).
absl::Status WaitForReplay(const std::string& id, Session& session);

absl::Status CancelReplay(const std::string& id, Session& session);

}  // namespace god33::cli
