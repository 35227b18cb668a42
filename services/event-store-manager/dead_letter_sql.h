#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "god33/store/v1/dead_letters.pb.h"
#include "pg/connection.h"
#include "services/event-store-manager/dead_letter_query.h"

namespace god33::manager {

// What statements on dead_letters have in common.

// The columns that ReadRow reads; kDeadLetterColumns of them.
#define GOD33_DEAD_LETTER_COLUMNS                                                       \
  "d.dead_letter_id, d.recorded_at, d.reason, d.detail, d.event_id, d.event_type, "     \
  "d.exchange, d.routing_key, d.properties, d.attempts, octet_length(d.body)::bigint, " \
  "d.state, d.times_sent_back, d.sent_back_at, d.dropped_at"

constexpr int kDeadLetterColumns = 15;

// Filters as parameters $1 to $6: states, types, reason, routing key, since, until. Where one is null,
// planning with the values at hand (plan_cache_mode of DeadLetterStore) makes its condition vanish.
#define GOD33_DEAD_LETTER_FILTER                                                                 \
  " AND ($3::text IS NULL OR d.reason = $3::text)"                                               \
  " AND ($4::text IS NULL OR (md5(d.routing_key) = md5($4::text) AND d.routing_key = $4::text))" \
  " AND ($5::timestamptz IS NULL OR d.recorded_at >= $5::timestamptz)"                           \
  " AND ($6::timestamptz IS NULL OR d.recorded_at < $6::timestamptz)"

// What a statement draws rows for, one index range each: every state of the filter as s, and with types
// every pair of a state and a type.
#define GOD33_DEAD_LETTER_STATES "unnest($1::text[]) AS s (state)"
#define GOD33_DEAD_LETTER_STATES_AND_TYPES \
  GOD33_DEAD_LETTER_STATES " CROSS JOIN unnest($2::text[]) AS t (event_type)"
#define GOD33_DEAD_LETTER_OF_TYPE " AND d.event_type COLLATE \"C\" = t.event_type"

// $1 to $6 of GOD33_DEAD_LETTER_FILTER. `types` are those of FindTypes.
pg::Params FilterParams(const DeadLetterFilter& filter, const std::vector<std::string>& types);

// The types in rows of these states that the filter's pattern matches, sorted. None if it has no pattern;
// INVALID_ARGUMENT if they are more than 1,000.
absl::StatusOr<std::vector<std::string>> FindTypes(pg::Connection& connection,
                                                   const DeadLetterFilter& filter);

pg::Array IdsOf(const std::vector<std::int64_t>& ids);

void ReadRow(const pg::Result& rows, int row, store::v1::DeadLetter& letter);

}  // namespace god33::manager
