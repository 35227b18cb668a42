#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/god33/session.h"

namespace god33::cli {

struct ChaosOptions {
  std::optional<std::int64_t> seed;  // absent: by chance
  std::string minutes = "3";
  std::string faults;  // kinds, with commas between; empty: all
  bool keep = false;
  bool json = false;
};

// Where the harness is, a script for Node.js in the source tree: the tree that one of the two directories, in
// this order, is in. `executables`: the directory of this process's executable.
// Errors: UNAVAILABLE (NO_SOURCE_TREE), or (NO_NODE_MODULES) if the tree is there, but not what its
// scripts need.
absl::StatusOr<std::filesystem::path> FindHarness(const std::filesystem::path& executables,
                                                  const std::filesystem::path& working_directory);

// The harness's own arguments.
std::vector<std::string> HarnessArguments(const ChaosOptions& options);

// The process becomes the harness: its exit code is the command's (chaos.cc), signals reach it, and what it
// prints goes where ours would. They return only if that fails.
absl::Status RunChaos(const ChaosOptions& options, Session& session);
absl::Status ListFaults(Session& session);

}  // namespace god33::cli
