#include "services/event-store-manager/retention_plan.h"

#include "eventlog/horizon.h"

namespace god33::manager {
namespace {

constexpr pg::Statement kMonths = {"retention_months", R"sql(
  SELECT month, first_position, last_position, age, coalesce(pg_total_relation_size(
    to_regclass('public.events_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM'))), 0)
  FROM retention_months())sql"};

constexpr pg::Statement kDropped = {"dropped_months",
                                    "SELECT count(*), " GOD33_HORIZON " FROM dropped_months"};

// A job that is there to drop a month holds none.
constexpr pg::Statement kHolds = {"retention_holds", R"sql(
  SELECT reason, detail FROM retention_holds($1::bigint,
    (SELECT job_id FROM projection_jobs WHERE state = 'running' AND kind = 'snapshot')))sql"};

}  // namespace

absl::StatusOr<RetentionPlan> ReadRetentionPlan(pg::Connection& connection, int months) {
  const auto dropped = connection.Query(kDropped);
  if (!dropped.ok()) return dropped.status();
  const auto rows = connection.Query(kMonths);
  if (!rows.ok()) return rows.status();
  RetentionPlan plan{
      .months = months, .horizon = dropped->Int8(0, 1), .dropped = dropped->Int8(0, 0)};
  for (int i = 0; i < rows->rows(); ++i) {
    plan.listed.push_back({.month = rows->Time(i, 0),
                           .first_position = rows->Int8(i, 1),
                           .last_position = rows->Int8(i, 2),
                           .bytes = rows->Int8(i, 4),
                           .due = months > 0 && rows->Int4(i, 3) > months});
  }
  for (RetentionMonth& month : plan.listed) {
    if (!month.due) break;
    const auto holds = connection.Query(kHolds, pg::Params().Int8(month.last_position));
    if (!holds.ok()) return holds.status();
    for (int i = 0; i < holds->rows(); ++i) {
      month.holds.push_back(
          {.reason = std::string(holds->Bytes(i, 0)), .detail = std::string(holds->Bytes(i, 1))});
    }
  }
  return plan;
}

std::string MonthText(absl::Time month) {
  return absl::FormatTime("%Y-%m", month, absl::UTCTimeZone());
}

}  // namespace god33::manager
