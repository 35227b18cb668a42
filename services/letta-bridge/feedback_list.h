#pragma once

#include "absl/status/status.h"
#include "god33/letta/v1/letta_bridge.pb.h"
#include "pg/connection.h"

// Questions to humans, for the API. Errors as LettaBridgeService says.

namespace god33::letta {

absl::Status ListFeedback(pg::Connection& connection, const v1::ListFeedbackRequest& request,
                          v1::ListFeedbackResponse& response);

// With all answers. NOT_FOUND (FEEDBACK_NOT_FOUND).
absl::Status ReadFeedback(pg::Connection& connection, const Uuid& request_id,
                          v1::Feedback& feedback);

}  // namespace god33::letta
