#include "services/event-store-manager/dead_letter_lock.h"

#include "base/error.h"
#include "base/strings.h"
#include "services/event-store-manager/dead_letter_sql.h"

namespace god33::manager {
namespace {

// Keys of this form are used for nothing else.
#define GOD33_LOCK_KEY(id) "hashtextextended('dead_letter/' || (" id ")::text, 0)"
constexpr pg::Statement kLock = {"lock_dead_letter",
                                 "SELECT pg_advisory_xact_lock(" GOD33_LOCK_KEY("$1::bigint") ")"};
constexpr pg::Statement kTryLocks = {
    "try_lock_dead_letters",
    "SELECT id FROM unnest($1::bigint[]) AS id WHERE pg_try_advisory_xact_lock(" GOD33_LOCK_KEY(
        "id") ")"};

}  // namespace

absl::Status LockDeadLetter(pg::Connection& connection, std::int64_t id) {
  const absl::Status status = connection.Query(kLock, pg::Params().Int8(id)).status();
  if (!absl::IsDeadlineExceeded(status)) return status;
  return MakeError(absl::StatusCode::kAborted, "IN_USE",
                   StrCat("somebody else is sending dead letter ", id, " back; look again"));
}

absl::StatusOr<std::vector<std::int64_t>> TryLockDeadLetters(pg::Connection& connection,
                                                             const std::vector<std::int64_t>& ids) {
  const auto rows = connection.Query(kTryLocks, pg::Params().Array(IdsOf(ids)));
  if (!rows.ok()) return rows.status();
  std::vector<std::int64_t> locked;
  for (int i = 0; i < rows->rows(); ++i) locked.push_back(rows->Int8(i, 0));
  return locked;
}

}  // namespace god33::manager
