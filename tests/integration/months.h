#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/strings.h"
#include "testing/servers.h"

// Logs that were written over months.

namespace god33::testing {

// Makes it look as if the log had been written over as many months as there are numbers, up to these positions in
// each; the last is the current month. Only the owner of the tables can.
inline void SpreadOverMonths(const TestDatabase& database,
                             const std::vector<std::int64_t>& last_positions) {
  std::string sql = "DO $$ DECLARE m timestamptz; BEGIN TRUNCATE log_months;";
  std::int64_t before = 0;
  std::size_t ago = last_positions.size();
  for (const std::int64_t last : last_positions) {
    StrAppend(&sql, "m := (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '", --ago,
              " months') AT TIME ZONE 'UTC'; PERFORM ensure_event_partition(m);"
              "UPDATE events SET recorded_at = m + make_interval(secs => position) "
              "WHERE position > ",
              before, " AND position <= ", last, "; INSERT INTO log_months VALUES (m, ", before + 1,
              ");");
    before = last;
  }
  StrAppend(&sql, "END $$");
  const absl::Status status = TestDatabase::Connect(database.Admin())->Execute(sql);
  INFO(status);
  REQUIRE(status.ok());
}

}  // namespace god33::testing
