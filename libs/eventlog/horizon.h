#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "pg/connection.h"

namespace god33::eventlog {

// The first position that retention has left, 1 when nothing was dropped: a column of a SELECT list.
#define GOD33_HORIZON "(SELECT coalesce(max(last_position), 0) + 1 FROM dropped_months)"

// The same, asked for by itself.
absl::StatusOr<std::int64_t> ReadHorizon(pg::Connection& connection);

// OUT_OF_RANGE (RETENTION): `what` is gone. Says where the log begins, for programs in metadata `horizon`.
// `field`: the input that asks for it, if it is one of many.
absl::Status BelowHorizon(std::string_view what, std::int64_t horizon, std::string_view field = {});

// The same for an event of which only the id is left. Errors of the connection.
absl::Status EventIsGone(pg::Connection& connection);

}  // namespace god33::eventlog
