#include "eventlog/cursor.h"

#include "base/error.h"
#include "base/strings.h"

namespace god33::eventlog {
namespace {

constexpr pg::Statement kCreate = {"create_cursor", R"sql(
  INSERT INTO cursors (name, log_id) SELECT $1::text, log_id FROM log_identity
  ON CONFLICT DO NOTHING)sql"};

// A lease that would end later than any can was given while the clock was ahead; its holder, if he lives, has
// renewed it since. Twice, so that a clock which is set back a little takes no lease away.
constexpr pg::Statement kAcquire = {"acquire_cursor", R"sql(
  UPDATE cursors SET epoch = epoch + (holder <> $2::text)::integer, holder = $2::text,
    log_id = (SELECT log_id FROM log_identity),
    expires_at = clock_timestamp() + make_interval(secs => $3::bigint / 1000.0)
  WHERE name = $1::text AND (holder = $2::text OR expires_at < clock_timestamp()
    OR expires_at > clock_timestamp() + 2 * make_interval(secs => $3::bigint / 1000.0))
  RETURNING epoch, position, within)sql"};

constexpr pg::Statement kMove = {"move_cursor", R"sql(
  UPDATE cursors SET position = $3::bigint, within = $4::bigint, updated_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => $5::bigint / 1000.0)
  WHERE name = $1::text AND epoch = $2::bigint)sql"};

constexpr pg::Statement kRelease = {"release_cursor", R"sql(
  UPDATE cursors SET expires_at = '-infinity', holder = ''
  WHERE name = $1::text AND epoch = $2::bigint)sql"};

}  // namespace

absl::StatusOr<std::optional<CursorLease>> AcquireCursor(pg::Connection& connection,
                                                         const std::string& name,
                                                         const std::string& holder,
                                                         absl::Duration ttl) {
  const auto created = connection.Query(kCreate, pg::Params().Text(name));
  if (!created.ok()) return created.status();
  const auto taken = connection.Query(
      kAcquire, pg::Params().Text(name).Text(holder).Int8(absl::ToInt64Milliseconds(ttl)));
  if (!taken.ok()) return taken.status();
  if (taken->rows() == 0) return std::nullopt;
  return CursorLease{.name = name,
                     .epoch = taken->Int8(0, 0),
                     .position = taken->Int8(0, 1),
                     .within = taken->Int8(0, 2)};
}

absl::Status MoveCursor(pg::Connection& connection, const CursorLease& lease, std::int64_t position,
                        std::int64_t within, absl::Duration ttl) {
  const auto moved = connection.Query(kMove, pg::Params()
                                                 .Text(lease.name)
                                                 .Int8(lease.epoch)
                                                 .Int8(position)
                                                 .Int8(within)
                                                 .Int8(absl::ToInt64Milliseconds(ttl)));
  if (!moved.ok()) return moved.status();
  if (moved->affected() == 0) {
    return MakeError(absl::StatusCode::kAborted, "LEASE_LOST",
                     StrCat("cursor ", lease.name, " has another holder now"));
  }
  return absl::OkStatus();
}

absl::Status ReleaseCursor(pg::Connection& connection, const CursorLease& lease) {
  return connection.Query(kRelease, pg::Params().Text(lease.name).Int8(lease.epoch)).status();
}

}  // namespace god33::eventlog
