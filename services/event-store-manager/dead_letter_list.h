#pragma once

#include "absl/status/status.h"
#include "god33/store/v1/dead_letters.pb.h"
#include "pg/connection.h"
#include "services/event-store-manager/dead_letter_query.h"

namespace god33::manager {

// A page of dead letters without their bodies, newest first, at most 2 MiB of them. The total is counted
// on the first page only: exactly up to 10,000, and as far as half a second allows.
absl::Status ListDeadLetters(pg::Connection& connection, const DeadLetterQuery& query,
                             store::v1::ListDeadLettersResponse& response);

}  // namespace god33::manager
