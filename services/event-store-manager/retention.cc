#include "services/event-store-manager/retention.h"

#include <algorithm>

#include "base/clock.h"
#include "base/strings.h"
#include "services/event-store-manager/retention_plan.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

constexpr absl::Duration kEvery = absl::Seconds(5);

// While one month after the other goes.
constexpr absl::Duration kDropping = absl::Milliseconds(200);

// Nothing, if a job is running, or one for this month has failed or been cancelled just now.
constexpr pg::Statement kAsk = {"ask_for_snapshot", R"sql(
  INSERT INTO projection_jobs (job_id, kind, requested_by, month, target)
  SELECT gen_random_uuid(), 'snapshot', 'retention', $1::timestamptz, $2::bigint
  WHERE NOT EXISTS (
    SELECT FROM projection_jobs
    WHERE kind = 'snapshot' AND month = $1::timestamptz AND state IN ('failed', 'cancelled')
      AND ended_at > clock_timestamp() - interval '10 minutes')
  ON CONFLICT DO NOTHING)sql"};

std::string WhyItWaits(const RetentionMonth& month) {
  std::string why;
  for (const RetentionHold& hold : month.holds) {
    StrAppend(&why, why.empty() ? "" : "; ", hold.reason, ": ", hold.detail);
  }
  return why;
}

}  // namespace

absl::Status Retention::Look(pg::Connection& live) {
  if (months_ == 0 || MonotonicNanos() < not_before_) return absl::OkStatus();
  not_before_ = MonotonicNanos() + absl::ToInt64Nanoseconds(kEvery);
  const auto plan = ReadRetentionPlan(live, months_);
  if (!plan.ok()) return plan.status();
  const auto due = std::count_if(plan->listed.begin(), plan->listed.end(),
                                 [](const RetentionMonth& month) { return month.due; });
  metrics_.horizon_position.Set(static_cast<double>(plan->horizon));
  metrics_.months_due.Set(static_cast<double>(due));
  static const RetentionMonth kNone;
  const RetentionMonth& oldest = due > 0 ? plan->listed.front() : kNone;
  for (const char* reason : kHoldReasons) {
    const bool holds =
        std::any_of(oldest.holds.begin(), oldest.holds.end(),
                    [reason](const RetentionHold& hold) { return hold.reason == reason; });
    metrics_.RetentionWaits(reason).Set(holds ? 1 : 0);
  }
  const std::string why = WhyItWaits(oldest);
  if (!why.empty() && why != said_) {
    Log(LogLevel::kInfo, "a month waits to be dropped",
        {{"month", MonthText(oldest.month)}, {"reason", why}});
  }
  said_ = why;
  if (due == 0 || !why.empty()) return absl::OkStatus();
  not_before_ = MonotonicNanos() + absl::ToInt64Nanoseconds(kDropping);
  return live.Query(kAsk, pg::Params().Time(oldest.month).Int8(oldest.last_position)).status();
}

}  // namespace god33::manager
