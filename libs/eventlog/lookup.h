#pragma once

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "pg/connection.h"
#include "sequence/resolve.h"

namespace god33::eventlog {

// Asks the log for all that Resolve needs to know about the units, in one round trip.
absl::StatusOr<sequence::Known> LookUp(pg::Connection& connection,
                                       const std::vector<const sequence::Unit*>& units);

// Asks for no more than which of these events are stored.
absl::StatusOr<absl::flat_hash_map<Uuid, sequence::Known::Event>> FindStored(
    pg::Connection& connection, const std::vector<Uuid>& ids);

}  // namespace god33::eventlog
