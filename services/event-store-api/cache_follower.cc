#include "services/event-store-api/cache_follower.h"

#include <algorithm>

namespace god33::api {
namespace {

// Often enough that a tail that works is never taken for silent.
constexpr absl::Duration kIdle = absl::Milliseconds(250);

// While the projector has something to fold: it commits without a notification.
constexpr absl::Duration kProjecting = absl::Milliseconds(10);

// Events of one look; with more, forgetting is cheaper.
constexpr std::int64_t kMostEvents = 20'000;

// $1, $2: positions behind which, and up to which. The conditions on kind and session_id are written so
// that only the indexes by position can serve them, whatever the planner knows of a new month.
constexpr pg::Statement kWorkflows = {"cache_workflows", R"sql(
  SELECT group_id, max(position) FROM memberships
  WHERE position > $1::bigint AND position <= $2::bigint AND since = position AND kind::text = 'w'
  GROUP BY group_id)sql"};

constexpr pg::Statement kLateWorkflows = {"cache_late_workflows", R"sql(
  SELECT group_id, max(since) FROM memberships
  WHERE since > $1::bigint AND since <= $2::bigint AND since <> position AND kind::text = 'w'
  GROUP BY group_id)sql"};

// An event may name a second session in its payload, as new_session_id: then, or if the name may be written
// in escapes, whichever it is. Payloads are looked through by the server and stay there.
constexpr pg::Statement kSessions = {"cache_sessions", R"sql(
  SELECT session_id, max(position),
    max(position) FILTER (WHERE event_type LIKE 'agent.%' AND (
      strpos(payload::text, 'new_session_id') > 0 OR strpos(payload::text, '\u005') > 0
      OR strpos(payload::text, '\u006') > 0 OR strpos(payload::text, '\u007') > 0))
  FROM events
  WHERE position > $1::bigint AND position <= $2::bigint AND num_nonnulls(session_id) = 1
    AND recorded_at >= coalesce(
      (SELECT max(month) FROM log_months WHERE first_position <= $1::bigint + 1), '-infinity')
  GROUP BY session_id)sql"};

void ReadTouches(const pg::Result& rows, AnswerKind kind,
                 std::vector<AnswerCache::Touch>& touches) {
  for (int row = 0; row < rows.rows(); ++row) {
    touches.push_back(
        {.key = {.kind = kind, .id = rows.Id(row, 0)}, .position = rows.Int8(row, 1)});
  }
}

}  // namespace

absl::Status CacheFollower::Follow(pg::Connection& connection, const LogPoint& point,
                                   std::int64_t seen_at) {
  const LogPoint known = cache_.point();
  const bool wanted = cache_.wanted(seen_at);
  const bool waits = wanted && point.projected < point.head;
  next_look_ = !waits ? kIdle
               : point.projected != known.projected || point.head != known.head
                   ? kProjecting
                   : std::min(2 * next_look_, kIdle);
  const bool same = known.LeadsTo(point) && known.generation == point.generation;
  if (!wanted || !same || point.head - known.head > kMostEvents) {
    cache_.Skip(point, seen_at);
    return absl::OkStatus();
  }
  AnswerCache::Touches touches;
  if (known.head < point.head) {
    const pg::Params range = std::move(pg::Params().Int8(known.head).Int8(point.head));
    const auto rows = connection.QueryAll({{kWorkflows, range}, {kSessions, range}});
    if (!rows.ok()) return rows.status();
    ReadTouches((*rows)[0], AnswerKind::kWorkflow, touches.events);
    const pg::Result& sessions = (*rows)[1];
    ReadTouches(sessions, AnswerKind::kSession, touches.events);
    for (int row = 0; row < sessions.rows(); ++row) {
      touches.any_session = std::max(touches.any_session, sessions.Int8(row, 2));
    }
  }
  if (known.projected < point.projected) {
    const auto rows =
        connection.Query(kLateWorkflows, pg::Params().Int8(known.projected).Int8(point.projected));
    if (!rows.ok()) return rows.status();
    ReadTouches(*rows, AnswerKind::kWorkflow, touches.late);
  }
  cache_.Advance(point, touches, seen_at);
  return absl::OkStatus();
}

}  // namespace god33::api
