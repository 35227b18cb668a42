#include "services/event-store-manager/dead_letter_list.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "services/event-store-manager/dead_letter_sql.h"

namespace god33::manager {
namespace {

namespace v1 = store::v1;

constexpr std::int64_t kMostCounted = 10'000;

// Of the rows of a page without bodies: an answer stays within what gRPC clients take by default (4 MiB).
constexpr std::int64_t kMostPageBytes = 2 << 20;

// The rows behind ($7, $8), newest first, at most $9, at most $10 bytes of them: for each state, and
// each type if types are given, so many are read from an index in order, and then merged.
#define GOD33_DEAD_LETTER_PAGE(sources, condition)                                           \
  "SELECT " GOD33_DEAD_LETTER_COLUMNS                                                        \
  ", d.page_rows FROM ("                                                                     \
  "  SELECT page.*, count(*) OVER () AS page_rows,"                                          \
  "    coalesce(sum(octet_length(page.properties::text) + octet_length(page.detail) + 1024)" \
  "      OVER (ORDER BY page.recorded_at DESC, page.dead_letter_id DESC"                     \
  "        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before FROM ("           \
  "    SELECT row.* FROM " sources                                                           \
  " CROSS JOIN LATERAL ("                                                                    \
  "      SELECT d.* FROM dead_letters AS d WHERE d.state = s.state" condition                \
      GOD33_DEAD_LETTER_FILTER                                                               \
  "        AND (d.recorded_at, d.dead_letter_id) < ($7::timestamptz, $8::bigint)"            \
  "      ORDER BY d.recorded_at DESC, d.dead_letter_id DESC LIMIT $9::bigint) AS row"        \
  "    ORDER BY row.recorded_at DESC, row.dead_letter_id DESC LIMIT $9::bigint) AS page"     \
  "  ) AS d WHERE d.before < $10::bigint ORDER BY d.recorded_at DESC, d.dead_letter_id DESC"

constexpr pg::Statement kPage = {
    "list_dead_letters",
    GOD33_DEAD_LETTER_PAGE(GOD33_DEAD_LETTER_STATES, " AND $2::text[] IS NULL")};
constexpr pg::Statement kPageOfTypes = {
    "list_dead_letters_of_types",
    GOD33_DEAD_LETTER_PAGE(GOD33_DEAD_LETTER_STATES_AND_TYPES, GOD33_DEAD_LETTER_OF_TYPE)};

constexpr pg::Statement kCount = {
    "count_dead_letters",
    "SELECT count(*) FROM (SELECT FROM dead_letters AS d WHERE d.state = ANY($1::text[])"
    " AND ($2::text[] IS NULL OR d.event_type COLLATE \"C\" = "
    "ANY($2::text[]))" GOD33_DEAD_LETTER_FILTER " LIMIT $7::bigint) AS counted"};

constexpr pg::Statement kSetTimeout = {"set_dead_letter_timeout",
                                       "SELECT set_config('statement_timeout', $1::text, true)"};
constexpr char kCountTimeout[] = "500";

// Exact up to kMostCounted, and as far as there is time.
absl::Status Count(pg::Connection& connection, const DeadLetterFilter& filter,
                   const std::vector<std::string>& types, v1::ListDeadLettersResponse& response) {
  pg::Params params = FilterParams(filter, types);
  params.Int8(kMostCounted + 1);
  const pg::Params timeout = std::move(pg::Params().Text(kCountTimeout));
  const auto results = connection.QueryAll({{kSetTimeout, timeout}, {kCount, params}});
  if (!results.ok()) {
    if (!absl::IsDeadlineExceeded(results.status())) return results.status();
    response.set_total(response.dead_letters_size());
    response.set_total_exact(false);
    return absl::OkStatus();
  }
  const std::int64_t count = (*results)[1].Int8(0, 0);
  response.set_total(std::min(count, kMostCounted));
  response.set_total_exact(count <= kMostCounted);
  return absl::OkStatus();
}

}  // namespace

absl::Status ListDeadLetters(pg::Connection& connection, const DeadLetterQuery& query,
                             v1::ListDeadLettersResponse& response) {
  const auto types = FindTypes(connection, query.filter);
  if (!types.ok()) return types.status();
  pg::Params params = FilterParams(query.filter, *types);
  if (query.after) {
    params.Time(absl::FromUnixMicros(query.after->unix_micros)).Int8(query.after->id);
  } else {
    params.Time(absl::FromUnixSeconds(253402300799)).Int8(std::numeric_limits<std::int64_t>::max());
  }
  params.Int8(query.limit + 1).Int8(kMostPageBytes);
  const auto rows = connection.Query(query.filter.type ? kPageOfTypes : kPage, params);
  if (!rows.ok()) return rows.status();
  const int count = std::min(rows->rows(), query.limit);
  for (int i = 0; i < count; ++i) ReadRow(*rows, i, *response.add_dead_letters());
  const bool more = count > 0 && rows->Int8(0, kDeadLetterColumns) > count;
  if (query.after) {
    response.set_total(query.after->total);
    response.set_total_exact(query.after->total_exact);
  } else if (!more) {
    response.set_total(count);
    response.set_total_exact(true);
  } else if (absl::Status status = Count(connection, query.filter, *types, response);
             !status.ok()) {
    return status;
  }
  if (more) {
    response.set_next_page_token(
        EncodeToken({.fingerprint = query.filter.Fingerprint(),
                     .unix_micros = absl::ToUnixMicros(rows->Time(count - 1, 1)),
                     .id = rows->Int8(count - 1, 0),
                     .total = response.total(),
                     .total_exact = response.total_exact()}));
  }
  return absl::OkStatus();
}

}  // namespace god33::manager
