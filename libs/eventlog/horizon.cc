#include "eventlog/horizon.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace god33::eventlog {
namespace {

constexpr pg::Statement kHorizon = {"read_horizon", "SELECT " GOD33_HORIZON};

}  // namespace

absl::StatusOr<std::int64_t> ReadHorizon(pg::Connection& connection) {
  const auto rows = connection.Query(kHorizon);
  if (!rows.ok()) return rows.status();
  return rows->Int8(0, 0);
}

absl::Status BelowHorizon(std::string_view what, std::int64_t horizon, std::string_view field) {
  absl::Status status = MakeError(
      absl::StatusCode::kOutOfRange, "RETENTION",
      StrCat(what, " was dropped by retention; the log begins at position ", horizon), field);
  return WithMetadata(std::move(status), "horizon", StrCat(horizon));
}

absl::Status EventIsGone(pg::Connection& connection) {
  const auto horizon = ReadHorizon(connection);
  if (!horizon.ok()) return horizon.status();
  return BelowHorizon("the event was stored, and", *horizon, "event_id");
}

}  // namespace god33::eventlog
