#include "services/letta-bridge/checkpoint_store.h"

namespace god33::letta {
namespace {

// Of each task the first, and the newest $1 or, when it is over, the newest.
#define GOD33_OLD_CHECKPOINTS                                                        \
  "SELECT task_id, sequence, memory_digest FROM ("                                   \
  "  SELECT c.task_id, c.sequence, c.memory_digest,"                                 \
  "    row_number() OVER (PARTITION BY c.task_id ORDER BY c.sequence DESC) AS age,"  \
  "    row_number() OVER (PARTITION BY c.task_id ORDER BY c.sequence) AS nth,"       \
  "    t.status IN ('completed', 'blocked', 'rejected', 'cancelled') AS is_over"     \
  "  FROM letta_checkpoints AS c JOIN letta_tasks AS t USING (task_id)) AS counted " \
  "WHERE $1::integer > 0 AND nth > 1 AND age > CASE WHEN is_over THEN 1 ELSE $1::integer END"

constexpr pg::Statement kPreview = {"letta_preview_drop",
                                    "WITH old AS (" GOD33_OLD_CHECKPOINTS R"sql(
  ), unnamed AS (
    SELECT m.bytes FROM letta_memories AS m
    WHERE m.kept_at < clock_timestamp() - interval '1 hour' AND NOT EXISTS (
      SELECT FROM letta_checkpoints AS c WHERE c.memory_digest = m.digest
        AND NOT EXISTS (SELECT FROM old WHERE (old.task_id, old.sequence) = (c.task_id, c.sequence))))
  SELECT (SELECT count(*) FROM old), count(*), coalesce(sum(bytes), 0)::bigint FROM unnamed)sql"};

constexpr pg::Statement kDrop = {
    "letta_drop_checkpoints",
    "DELETE FROM letta_checkpoints AS c USING (" GOD33_OLD_CHECKPOINTS
    ") AS old WHERE (c.task_id, c.sequence) = (old.task_id, old.sequence)"};

// One that was kept just now may be named by a checkpoint that is not committed yet.
constexpr pg::Statement kDropMemories = {"letta_drop_memories", R"sql(
  DELETE FROM letta_memories AS m
  WHERE m.kept_at < clock_timestamp() - interval '1 hour'
    AND NOT EXISTS (SELECT FROM letta_checkpoints AS c WHERE c.memory_digest = m.digest))sql"};

}  // namespace

absl::StatusOr<DroppedCheckpoints> PreviewDrop(pg::Connection& connection, int kept) {
  pg::Params params;
  params.Int4(kept);
  const auto row = connection.Query(kPreview, params);
  if (!row.ok()) return row.status();
  return DroppedCheckpoints{
      .checkpoints = row->Int8(0, 0), .memories = row->Int8(0, 1), .bytes = row->Int8(0, 2)};
}

absl::Status DropOldCheckpoints(pg::Connection& connection, int kept) {
  pg::Params params;
  params.Int4(kept);
  const auto dropped = connection.Query(kDrop, params);
  if (!dropped.ok()) return dropped.status();
  return connection.Query(kDropMemories).status();
}

}  // namespace god33::letta
