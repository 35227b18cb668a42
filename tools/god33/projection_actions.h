#pragma once

#include <optional>
#include <string>

#include "tools/god33/session.h"

namespace god33::cli {

struct RebuildOptions {
  bool detach = false;
};

struct VerifyOptions {
  std::string workflow;  // empty: all
  std::string session;   // empty: all
  bool detach = false;
};

struct JobsOptions {
  std::string state;  // empty: all
  std::optional<int> limit;
};

absl::Status ShowProjections(Session& session);

// Begin a job and, unless told otherwise, wait for its end and print it. A manager that is away for less
// than a minute meanwhile is waited for. Errors: PROJECTIONS_DIFFER of a verification that found something,
// PROJECTION_JOB_FAILED, PROJECTION_JOB_CANCELLED.
absl::Status RebuildProjections(const RebuildOptions& options, Session& session);
absl::Status VerifyProjections(const VerifyOptions& options, Session& session);

absl::Status ListProjectionJobs(const JobsOptions& options, Session& session);
absl::Status ShowProjectionJob(const std::string& id, Session& session);
absl::Status CancelProjectionJob(const std::string& id, Session& session);

}  // namespace god33::cli
