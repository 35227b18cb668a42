#include "eventlog/stalled_holder.h"

#include "pg/error.h"

namespace god33::eventlog {
namespace {

// The lock of append.cc and migrations/0008_write_path.sql: two integer keys, 33 and 1.
constexpr pg::Statement kEnd = {"end_stalled_holder", R"sql(
  SELECT count(*) FROM (
    SELECT pg_terminate_backend(activity.pid) AS ended
    FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
    WHERE locktype = 'advisory' AND classid = 33 AND objid = 1 AND objsubid = 2 AND granted
      AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND activity.wait_event_type = 'Client'
      AND activity.state_change < clock_timestamp() - interval '2 seconds') AS holders
  WHERE ended)sql"};

}  // namespace

bool IsLockTimeout(const absl::Status& status) {
  return pg::SqlState(status) == "55P03";
}

absl::StatusOr<bool> EndStalledHolder(pg::Connection& connection) {
  const auto ended = connection.Query(kEnd);
  if (!ended.ok()) return ended.status();
  return ended->Int8(0, 0) > 0;
}

}  // namespace god33::eventlog
