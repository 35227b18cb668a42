#pragma once

#include <cstdint>

#include "base/uuid.h"
#include "pg/result.h"

namespace god33::api {

// How far the log and what is folded from it were, in one snapshot of the database.
struct LogPoint {
  Uuid log_id;
  std::int64_t head = 0;        // the log's end
  std::int64_t projected = 0;   // all that is due up to here is folded
  std::int64_t within = 0;      // and this much of what is due at projected + 1
  std::int64_t horizon = 0;     // the first position that retention has left
  std::int64_t generation = 0;  // of the projections: another one after they were rebuilt

  // Both are of one history, in which `later` is no earlier than this.
  bool LeadsTo(const LogPoint& later) const {
    return log_id == later.log_id && head <= later.head && projected <= later.projected;
  }
};

// The columns that ReadLogPoint expects, for a SELECT list.
#define GOD33_LOG_POINT_COLUMNS                                            \
  "(SELECT log_id FROM log_identity), "                                    \
  "coalesce((SELECT max(position) FROM event_ids), 0), "                   \
  "coalesce((SELECT position FROM cursors WHERE name = 'projector'), 0), " \
  "coalesce((SELECT within FROM cursors WHERE name = 'projector'), 0), "   \
  "coalesce((SELECT min(first_position) FROM log_months), 0), "            \
  "(SELECT generation FROM projection_identity)"

inline constexpr int kLogPointColumns = 6;

// Reads them from `row`, beginning at `column`.
inline LogPoint ReadLogPoint(const pg::Result& rows, int row, int column) {
  return {.log_id = rows.Id(row, column),
          .head = rows.Int8(row, column + 1),
          .projected = rows.Int8(row, column + 2),
          .within = rows.Int8(row, column + 3),
          .horizon = rows.Int8(row, column + 4),
          .generation = rows.Int8(row, column + 5)};
}

// Where the database was when a projection's state was read from it.
struct FoldedAt {
  LogPoint point;
  bool frozen = false;  // an event of it could not be folded: it may change without a new one
};

}  // namespace god33::api
