#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/stop.h"
#include "pg/pool.h"
#include "services/letta-bridge/orders.h"

namespace god33::letta {

// Notes orders and waits until they are obeyed. Thread-safe; calls block. Errors are those of LettaBridgeService.
class SessionOrders {
 public:
  explicit SessionOrders(pg::Pool& pool) : pool_(pool) {}

  // Ends waits.
  void Stop() { stop_.Request(); }

  // The order for the task of a session, by either one's id; the task's.
  absl::StatusOr<Uuid> Give(const Uuid& id, Order order);

  // Whether it is obeyed by the end of `timeout`, or as soon as `gone` says that nobody waits any more.
  absl::StatusOr<bool> AwaitObeyed(const Uuid& task_id, Order::Kind kind, absl::Duration timeout,
                                   const std::function<bool()>& gone);

 private:
  pg::Pool& pool_;
  god33::Stop stop_;
};

}  // namespace god33::letta
