#include "services/letta-bridge/lease.h"

#include "base/error.h"
#include "base/strings.h"

namespace god33::letta {
namespace {

constexpr pg::Statement kTake = {"letta_take_lease", R"sql(
  INSERT INTO letta_leases AS lease (task_id, holder, epoch, expires_at)
  VALUES ($1::uuid, $2::text, 1, clock_timestamp() + $3::bigint * interval '1 ms')
  ON CONFLICT (task_id) DO UPDATE
    SET holder = excluded.holder, epoch = lease.epoch + 1, expires_at = excluded.expires_at
    -- One that has more than twice as long to go is from before the clock was set back.
    WHERE lease.expires_at <= clock_timestamp()
      OR lease.expires_at > clock_timestamp() + 2 * $3::bigint * interval '1 ms'
  RETURNING epoch)sql"};

constexpr pg::Statement kCheck = {"letta_check_lease", R"sql(
  SELECT FROM letta_leases
  WHERE task_id = $1::uuid AND holder = $2::text AND epoch = $3::bigint FOR UPDATE)sql"};

constexpr pg::Statement kIsHeld = {"letta_is_held", R"sql(
  SELECT expires_at > clock_timestamp()
    AND expires_at <= clock_timestamp() + 2 * $2::bigint * interval '1 ms'
  FROM letta_leases WHERE task_id = $1::uuid FOR UPDATE)sql"};

constexpr pg::Statement kRenew = {"letta_renew_leases", R"sql(
  UPDATE letta_leases SET expires_at = clock_timestamp() + $2::bigint * interval '1 ms'
  WHERE holder = $1::text AND task_id = ANY ($3::uuid[]) AND expires_at > '-infinity'
  RETURNING task_id)sql"};

constexpr pg::Statement kRelease = {"letta_release_lease", R"sql(
  UPDATE letta_leases SET expires_at = '-infinity'
  WHERE task_id = $1::uuid AND holder = $2::text AND epoch = $3::bigint)sql"};

const std::int64_t kMillis = absl::ToInt64Milliseconds(kLeaseTime);

pg::Params Named(const Lease& lease) {
  pg::Params params;
  params.Id(lease.task_id).Text(lease.holder).Int8(lease.epoch);
  return params;
}

}  // namespace

absl::StatusOr<std::optional<Lease>> TakeLease(pg::Connection& connection, const Uuid& task_id,
                                               const std::string& holder) {
  pg::Params params;
  params.Id(task_id).Text(holder).Int8(kMillis);
  const auto taken = connection.Query(kTake, params);
  if (!taken.ok()) return taken.status();
  if (taken->rows() == 0) return std::nullopt;
  return Lease{.task_id = task_id, .holder = holder, .epoch = taken->Int8(0, 0)};
}

absl::Status CheckLease(pg::Connection& connection, const Lease& lease) {
  const auto found = connection.Query(kCheck, Named(lease));
  if (!found.ok()) return found.status();
  if (found->rows() > 0) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kAborted, "LEASE_LOST",
      StrCat("task ", lease.task_id.ToString(), " has another holder than epoch ", lease.epoch));
}

absl::StatusOr<bool> IsHeld(pg::Connection& connection, const Uuid& task_id) {
  pg::Params params;
  params.Id(task_id).Int8(kMillis);
  const auto found = connection.Query(kIsHeld, params);
  if (!found.ok()) return found.status();
  return found->rows() > 0 && found->Bool(0, 0);
}

absl::StatusOr<absl::flat_hash_set<Uuid>> RenewLeases(pg::Connection& connection,
                                                      const std::string& holder,
                                                      const std::vector<Uuid>& tasks) {
  pg::Params params;
  params.Text(holder).Int8(kMillis).Ids(tasks);
  const auto renewed = connection.Query(kRenew, params);
  if (!renewed.ok()) return renewed.status();
  absl::flat_hash_set<Uuid> held;
  for (int row = 0; row < renewed->rows(); ++row) held.insert(renewed->Id(row, 0));
  return held;
}

absl::Status ReleaseLease(pg::Connection& connection, const Lease& lease) {
  return connection.Query(kRelease, Named(lease)).status();
}

}  // namespace god33::letta
