#include "services/event-store-manager/retention_request.h"

#include "base/error.h"
#include "base/strings.h"

namespace god33::manager {
namespace {

constexpr int kMostMonths = 1200;

}  // namespace

absl::StatusOr<int> ReadMonths(const store::v1::GetRetentionRequest& request, int configured) {
  if (!request.has_months()) return configured;
  if (request.months() < 1 || request.months() > kMostMonths) {
    return InvalidField("months",
                        StrCat("expected 1 to ", kMostMonths, ", got ", request.months()));
  }
  return request.months();
}

void ToProto(const RetentionPlan& plan, store::v1::GetRetentionResponse& message) {
  message.set_months(plan.months);
  message.set_horizon(plan.horizon);
  message.set_dropped_months(plan.dropped);
  std::int64_t due_events = 0;
  std::int64_t due_bytes = 0;
  for (const RetentionMonth& month : plan.listed) {
    const std::int64_t events = month.last_position - month.first_position + 1;
    store::v1::RetentionMonth& listed = *message.add_log();
    listed.set_month(MonthText(month.month));
    listed.set_first_position(month.first_position);
    listed.set_last_position(month.last_position);
    listed.set_events(events);
    listed.set_bytes(month.bytes);
    listed.set_due(month.due);
    for (const RetentionHold& hold : month.holds) {
      store::v1::RetentionHold& held = *listed.add_holds();
      held.set_reason(hold.reason);
      held.set_detail(hold.detail);
    }
    if (!month.due) continue;
    due_events += events;
    due_bytes += month.bytes;
  }
  message.set_due_events(due_events);
  message.set_due_bytes(due_bytes);
}

}  // namespace god33::manager
