#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pg/connection.h"

namespace god33::manager {

// Who still needs a month that is due. `reason` is one of kHoldReasons, `detail` for people.
struct RetentionHold {
  std::string reason;
  std::string detail;
};

inline constexpr const char* kHoldReasons[] = {
    "projector", "relay", "cursor", "late_parents", "frozen_fold", "replay", "projection_job"};

// A month of the log that has events.
struct RetentionMonth {
  absl::Time month;  // its first moment, in UTC
  std::int64_t first_position = 0;
  std::int64_t last_position = 0;
  std::int64_t bytes = 0;  // on disk, with indexes
  bool due = false;
  std::vector<RetentionHold> holds;  // of one that is due
};

struct RetentionPlan {
  int months = 0;                      // to keep besides the current one; 0: all
  std::int64_t horizon = 1;            // the first position that is left
  std::int64_t dropped = 0;            // months, so far
  std::vector<RetentionMonth> listed;  // the oldest first; those that are due come first
};

// Which months would go if `months` complete ones besides the current one were kept. Changes nothing. The rule
// stands in migrations/0009_retention.sql, where drop_event_month keeps to it.
absl::StatusOr<RetentionPlan> ReadRetentionPlan(pg::Connection& connection, int months);

// 2026-08.
std::string MonthText(absl::Time month);

}  // namespace god33::manager
