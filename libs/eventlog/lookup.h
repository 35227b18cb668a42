#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "pg/connection.h"
#include "sequence/resolve.h"

namespace god33::eventlog {

// Asks the log for all that Resolve needs to know about the units, in one round trip.
absl::StatusOr<sequence::Known> LookUp(pg::Connection& connection,
                                       const std::vector<const sequence::Unit*>& units);

}  // namespace god33::eventlog
