#pragma once

#include <cstdint>
#include <span>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "causation/walk.h"
#include "pg/connection.h"

namespace god33::api {

// The ids of events, by their positions. Ids are kept for ever, so none is missing.
absl::StatusOr<absl::flat_hash_map<std::int64_t, Uuid>> ReadIds(
    pg::Connection& connection, std::span<const causation::Node> nodes);

}  // namespace god33::api
