#include "eventlog/fold_source.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "event/facts.h"
#include "event/parts.h"
#include "json/value.h"
#include "projection/payload.h"

namespace god33::eventlog {
namespace {

using projection::FoldEvent;

// Of payloads as they are stored, compressed, so that one step's memory stays bounded.
constexpr std::int64_t kMostBytes = 4 << 20;

// Members that joined with their own position, members that joined later, and sessions' events.
constexpr pg::Statement kItems = {"fold_items", R"sql(
  SELECT since, position, group_id FROM (
    SELECT since, position, group_id FROM memberships
    WHERE position > $1::bigint AND position <= $2::bigint AND since = position AND kind = 'w'
    UNION ALL
    SELECT since, position, group_id FROM memberships
    WHERE since > $1::bigint AND since <= $2::bigint AND since <> position AND kind = 'w'
    UNION ALL
    SELECT position, position, NULL FROM events
    WHERE position > $1::bigint AND position <= $2::bigint AND session_id IS NOT NULL
      AND recorded_at >= coalesce(
        (SELECT max(month) FROM log_months WHERE first_position <= $1::bigint + 1), '-infinity')
  ) AS items
  ORDER BY since, since <> position, position, group_id NULLS LAST
  OFFSET $3::bigint LIMIT $4::integer)sql"};

// From (since, position) on: members that joined with their own position, and those that joined
// later, each as a range of its own index: row comparisons, and a kind that is cast, so that no other
// index is taken.
constexpr pg::Statement kWorkflowItems = {"fold_items_of_workflow", R"sql(
  SELECT since, position, group_id FROM (
    (SELECT since, position, group_id FROM memberships
     WHERE kind = 'w' AND (group_id, position) >= ($1::uuid, $2::bigint)
       AND (group_id, position) <= ($1::uuid, $5::bigint) AND since = position
     ORDER BY group_id, position LIMIT $6::integer)
    UNION ALL
    (SELECT since, position, group_id FROM memberships
     WHERE kind::text = 'w' AND since <> position
       AND (group_id, since, position) >= ($1::uuid, $3::bigint, $4::bigint)
       AND (group_id, since) <= ($1::uuid, $5::bigint)
     ORDER BY group_id, since, position LIMIT $6::integer)
  ) AS items
  ORDER BY since, since <> position, position LIMIT $6::integer)sql"};

// Of a session that was opened by a recovery, the event that opened it names it as new_session_id;
// its typed column may hold the old one.
constexpr pg::Statement kSessionItems = {"fold_items_of_session", R"sql(
  SELECT position, position, NULL::uuid FROM events
  WHERE position >= $2::bigint AND position <= $3::bigint
    AND (session_id = $1::uuid OR event_type = 'agent.letta.session.recovery.started')
  ORDER BY position LIMIT $4::integer)sql"};

// Only what folds read of large fields: most payloads are not needed at all. Memberships are looked up by
// position: with a kind that is not cast, their order could tempt the planner to walk through all groups.
#define GOD33_FOLD_COLUMNS                                                                       \
  "SELECT position, event_id, event_type, \"timestamp\", agent_context, correlation_ids, "       \
  " workflow_id, CASE WHEN relevant THEN payload ELSE '{}'::json END, "                          \
  " CASE WHEN session_id IS NOT NULL THEN "                                                      \
  "  (SELECT group_id FROM memberships AS m "                                                    \
  "   WHERE m.position = sized.position AND m.kind::text = 'w' AND m.since = m.position "        \
  "   ORDER BY group_id LIMIT 1) END, "                                                          \
  " CASE WHEN session_id IS NOT NULL THEN "                                                      \
  "  (SELECT p.project FROM memberships AS m "                                                   \
  "     JOIN workflow_projects AS p ON p.workflow_id = m.group_id AND p.position <= m.position " \
  "   WHERE m.position = sized.position AND m.kind::text = 'w' AND m.since = m.position "        \
  "   ORDER BY group_id LIMIT 1) END, "                                                          \
  " session_id IS NOT NULL "
#define GOD33_FOLD_RELEVANT                                       \
  "(session_id IS NOT NULL OR event_type LIKE 'bmad.workflow.%' " \
  " OR event_type LIKE 'agent.handoff.%' OR event_type LIKE 'agent.feedback.%') AS relevant "

constexpr pg::Statement kEvents = {"fold_events", GOD33_FOLD_COLUMNS R"sql(
  FROM (
    SELECT *, sum(CASE WHEN relevant THEN pg_column_size(payload) ELSE 0 END)
                OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (
      SELECT t.n, e.*, )sql" GOD33_FOLD_RELEVANT R"sql(
      FROM unnest($1::bigint[]) WITH ORDINALITY AS t (position, n) JOIN events AS e USING (position)
      WHERE e.recorded_at >= coalesce(
          (SELECT max(month) FROM log_months WHERE first_position <= $2::bigint), '-infinity')
        AND e.recorded_at < (
          SELECT (max(month) AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'
          FROM log_months WHERE first_position <= $3::bigint)
    ) AS numbered
  ) AS sized
  WHERE coalesce(before, 0) < $4::bigint)sql"};

// The same of events that retention has dropped and folds still read. Whatever a fold comes to read of an event
// that was stored before the one that is folded must be retained by drop_event_month
// (migrations/0009_retention.sql), or a rebuild gives something else than what is live.
constexpr pg::Statement kRetained = {
    "fold_retained_events",
    GOD33_FOLD_COLUMNS "FROM (SELECT *, " GOD33_FOLD_RELEVANT
                       " FROM retained_events WHERE position = ANY($1::bigint[])) AS sized"};

constexpr pg::Statement kHandoffs = {"find_handoff_requests", R"sql(
  SELECT i.event_id, i.position, e.payload
  FROM event_ids AS i JOIN events AS e USING (position)
  WHERE i.event_id = ANY($1::uuid[])
    AND e.event_type IN ('bmad.workflow.handoff.requested', 'agent.handoff.requested')
  UNION ALL
  SELECT event_id, position, payload FROM retained_events
  WHERE event_id = ANY($1::uuid[])
    AND event_type IN ('bmad.workflow.handoff.requested', 'agent.handoff.requested'))sql"};

std::vector<FoldItem> ReadItems(const pg::Result& rows) {
  std::vector<FoldItem> items;
  for (int i = 0; i < rows.rows(); ++i) {
    items.push_back(
        {.since = rows.Int8(i, 0), .position = rows.Int8(i, 1), .workflow = rows.OptionalId(i, 2)});
  }
  return items;
}

void ReadEvents(const pg::Result& rows, std::map<std::int64_t, FoldEvent>& events) {
  for (int i = 0; i < rows.rows(); ++i) {
    FoldEvent& event = events[rows.Int8(i, 0)];
    event.position = rows.Int8(i, 0);
    event.id = rows.Id(i, 1);
    event.type = rows.Bytes(i, 2);
    event.time = rows.Time(i, 3);
    if (!rows.IsNull(i, 4)) {
      const event::AgentContext context =
          event::ReadContext(json::Value::Checked(rows.Bytes(i, 4)));
      event.agent_type = context.type.value_or("");
      event.agent_instance = context.instance_id.value_or("");
    }
    event.parents = rows.Ids(i, 5);
    event.workflow = rows.OptionalId(i, 6);
    event.payload = rows.Bytes(i, 7);
    if (!event.workflow) event.workflow = rows.OptionalId(i, 8);
    if (rows.Bool(i, 10)) event.project = event::ProjectNamedIn(event.payload);
    if (event.project.empty()) event.project = rows.Bytes(i, 9);
  }
}

}  // namespace

absl::StatusOr<std::vector<FoldItem>> FoldSource::Items(std::int64_t after, std::int64_t up_to,
                                                        std::int64_t skip, int limit) {
  const auto rows =
      connection_.Query(kItems, pg::Params().Int8(after).Int8(up_to).Int8(skip).Int4(limit));
  if (!rows.ok()) return rows.status();
  return ReadItems(*rows);
}

absl::StatusOr<std::vector<FoldItem>> FoldSource::WorkflowItems(const Uuid& workflow,
                                                                std::int64_t since,
                                                                std::int64_t position,
                                                                std::int64_t up_to, int limit) {
  // Of one `since`, the event of that position comes before those that joined with it.
  const bool late = since != position;
  const auto rows = connection_.Query(kWorkflowItems, pg::Params()
                                                          .Id(workflow)
                                                          .Int8(late ? since + 1 : since)
                                                          .Int8(since)
                                                          .Int8(late ? position : 0)
                                                          .Int8(up_to)
                                                          .Int4(limit));
  if (!rows.ok()) return rows.status();
  return ReadItems(*rows);
}

absl::StatusOr<std::vector<FoldItem>> FoldSource::SessionItems(const Uuid& session,
                                                               std::int64_t since,
                                                               std::int64_t up_to, int limit) {
  const auto rows = connection_.Query(kSessionItems,
                                      pg::Params().Id(session).Int8(since).Int8(up_to).Int4(limit));
  if (!rows.ok()) return rows.status();
  return ReadItems(*rows);
}

absl::StatusOr<std::map<std::int64_t, FoldEvent>> FoldSource::Events(
    const std::vector<FoldItem>& items) {
  std::map<std::int64_t, FoldEvent> events;
  if (items.empty()) return events;
  pg::Array positions(pg::Type::kInt8);
  std::int64_t oldest = items.front().position;
  std::int64_t newest = oldest;
  for (const FoldItem& item : items) {
    // Items of one event follow each other.
    if (&item == &items.front() || (&item - 1)->position != item.position) {
      positions.Int8(item.position);
    }
    oldest = std::min(oldest, item.position);
    newest = std::max(newest, item.position);
  }
  const auto rows = connection_.Query(
      kEvents, pg::Params().Array(std::move(positions)).Int8(oldest).Int8(newest).Int8(kMostBytes));
  if (!rows.ok()) return rows.status();
  ReadEvents(*rows, events);
  if (absl::Status status = AddRetained(items, events); !status.ok()) return status;
  if (absl::Status status = AddHandoffTargets(events); !status.ok()) return status;
  return events;
}

absl::Status FoldSource::AddRetained(const std::vector<FoldItem>& items,
                                     std::map<std::int64_t, FoldEvent>& events) {
  pg::Array positions(pg::Type::kInt8);
  for (const FoldItem& item : items) {
    // Only who joined late can be dropped before he is folded.
    if (item.since != item.position && !events.contains(item.position)) {
      positions.Int8(item.position);
    }
  }
  if (positions.size() == 0) return absl::OkStatus();
  const auto rows = connection_.Query(kRetained, pg::Params().Array(std::move(positions)));
  if (rows.ok()) ReadEvents(*rows, events);
  return rows.status();
}

absl::Status FoldSource::AddHandoffTargets(std::map<std::int64_t, FoldEvent>& events) {
  std::vector<Uuid> parents;
  for (const auto& [position, event] : events) {
    if (event.type == "agent.handoff.accepted") {
      parents.insert(parents.end(), event.parents.begin(), event.parents.end());
    }
  }
  if (parents.empty()) return absl::OkStatus();
  const auto rows = connection_.Query(kHandoffs, pg::Params().Ids(parents));
  if (!rows.ok()) return rows.status();
  absl::flat_hash_map<Uuid, int> row_of;
  for (int i = 0; i < rows->rows(); ++i) row_of[rows->Id(i, 0)] = i;
  for (auto& [position, event] : events) {
    if (event.type != "agent.handoff.accepted") continue;
    for (const Uuid& parent : event.parents) {
      const auto found = row_of.find(parent);
      // A request that was stored after its answer tells nothing: folding again must give the same.
      if (found == row_of.end() || rows->Int8(found->second, 1) > position) continue;
      event.handoff_to = projection::Payload(rows->Bytes(found->second, 2)).Text("to_agent");
      break;
    }
  }
  return absl::OkStatus();
}

}  // namespace god33::eventlog
