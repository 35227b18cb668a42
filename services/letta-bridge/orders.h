#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "pg/connection.h"

// What people asked of tasks and is not done yet, in PostgreSQL: whoever asks may be at another bridge than the one
// that works on the task. Everything runs in the connection's transaction.

namespace god33::letta {

struct Order {
  enum class Kind { kPause, kResume, kCancel, kCheckpoint };
  Uuid task_id;
  Kind kind = Kind::kCheckpoint;
  std::string reason;
  std::string asked_by;
};

// Notes it, once, and wakes the bridges when the transaction commits.
absl::Status AddOrder(pg::Connection& connection, const Order& order);

// The oldest ones, at most 200.
absl::StatusOr<std::vector<Order>> ListOrders(pg::Connection& connection);

absl::Status ClearOrder(pg::Connection& connection, const Uuid& task_id, Order::Kind kind);

// Whether it is noted and not done yet.
absl::StatusOr<bool> IsOrdered(pg::Connection& connection, const Uuid& task_id, Order::Kind kind);

// All of the task's.
absl::Status ClearOrders(pg::Connection& connection, const Uuid& task_id);

// Wakes the bridges when the transaction commits: there is work. They LISTEN on this channel.
inline constexpr char kWorkChannel[] = "god33_letta";
absl::Status NotifyBridges(pg::Connection& connection);

}  // namespace god33::letta
