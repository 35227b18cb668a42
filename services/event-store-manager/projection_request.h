#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "god33/store/v1/projection.pb.h"
#include "services/event-store-manager/projection_jobs.h"

namespace god33::manager {

// Check and read requests; INVALID_ARGUMENT names the field.
absl::StatusOr<ProjectionScope> ReadScope(const store::v1::VerifyProjectionsRequest& request);
absl::StatusOr<Uuid> ReadJobId(const std::string& text);
absl::Status CheckState(const std::string& text);

void ToProto(const ProjectionJob& job, store::v1::ProjectionJob& message);
void ToProto(const ProjectionDifference& difference, store::v1::ProjectionDifference& message);
void ToProto(const ProjectionStatus& status, store::v1::GetProjectionsResponse& message);

}  // namespace god33::manager
