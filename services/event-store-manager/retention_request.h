#pragma once

#include "absl/status/statusor.h"
#include "god33/store/v1/retention.pb.h"
#include "services/event-store-manager/retention_plan.h"

namespace god33::manager {

// How many months to plan with. INVALID_ARGUMENT about months.
absl::StatusOr<int> ReadMonths(const store::v1::GetRetentionRequest& request, int configured);

// Fills in all but configured_months and job.
void ToProto(const RetentionPlan& plan, store::v1::GetRetentionResponse& message);

}  // namespace god33::manager
