#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/event-store-api/event_sql.h"
#include "services/event-store-api/page_token.h"
#include "services/event-store-api/reader.h"

namespace god33::api {

// Pages of what is folded from the log, ordered by a time, the newest first, and then by id.
struct TimeQuery {
  const std::string& page_token;
  std::string fingerprint;  // of the filters
  int limit;
  std::int64_t min_position;
  int time_column;  // of the rows; the id is column 0
};

struct TimePage {
  pg::Result rows;
  int count;  // of the rows that belong to the page
  std::string next_page_token;
  std::int64_t position;  // up to which the log is folded
};

// The page behind the query's token. `sql` makes the statement for the rows behind a token, which must give
// one row more than `limit` if there is one. INVALID_ARGUMENT about page_token if it is none, or belongs to
// other filters.
absl::StatusOr<TimePage> ReadTimePage(
    Reader& reader, const TimeQuery& query,
    const std::function<Sql(const std::optional<TimeToken>&)>& sql);

// The condition for rows behind a token; adds its parameters.
std::string Behind(const TimeToken& token, std::string_view time_column, std::string_view id_column,
                   pg::Params& params);

}  // namespace god33::api
