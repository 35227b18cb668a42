#include "services/letta-bridge/session_orders.h"

#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "reaction/decide.h"
#include "services/letta-bridge/task_list.h"
#include "services/letta-bridge/task_store.h"

namespace god33::letta {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(100);
constexpr absl::Duration kPoolTimeout = absl::Seconds(2);

absl::Status Refused(std::string_view reason, std::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition, reason, why);
}

// Whether the order makes sense for the task as it is.
absl::Status Check(const Task& task, Order::Kind kind) {
  const std::string is = StrCat("task ", task.id.ToString(), " is ", NameOf(task.status));
  if (IsOver(task.status)) return Refused("ALREADY_OVER", is);
  switch (kind) {
    case Order::Kind::kCancel:
      return absl::OkStatus();
    case Order::Kind::kPause:
      if (task.status == TaskStatus::kActive || task.status == TaskStatus::kRecovering) {
        return absl::OkStatus();
      }
      return Refused("NOT_ACTIVE", StrCat(is, "; there is nothing to pause"));
    case Order::Kind::kCheckpoint:
      if (task.status == TaskStatus::kActive) return absl::OkStatus();
      return Refused("NOT_ACTIVE", StrCat(is, "; there is nothing new to save"));
    case Order::Kind::kResume:
      if (task.status != TaskStatus::kPaused) return Refused("NOT_PAUSED", is);
      if (!task.question || task.question->settled_by) return absl::OkStatus();
      return WithMetadata(
          Refused("QUESTION_PENDING",
                  StrCat(is, " until question ", task.question->request_id.ToString(),
                         " is answered or withdrawn; then it goes on by itself")),
          "request_id", task.question->request_id.ToString());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Uuid> SessionOrders::Give(const Uuid& id, Order order) {
  const auto decision = [&](pg::Connection& connection) -> absl::StatusOr<sequence::Unit> {
    const auto task_id = TaskNamed(connection, id);
    if (!task_id.ok()) return task_id.status();
    order.task_id = *task_id;
    const auto task = LockTask(connection, *task_id);
    if (!task.ok()) return task.status();
    absl::Status status = Check(*task, order.kind);
    if (status.ok()) status = AddOrder(connection, order);
    if (!status.ok()) return status;
    return sequence::Unit();
  };
  const auto outcome = reaction::Decide(pool_, decision);
  if (!outcome.ok()) return outcome.status();
  return order.task_id;
}

absl::StatusOr<bool> SessionOrders::AwaitObeyed(const Uuid& task_id, Order::Kind kind,
                                                absl::Duration timeout,
                                                const std::function<bool()>& gone) {
  const std::int64_t end = MonotonicNanos() + absl::ToInt64Nanoseconds(timeout);
  while (true) {
    {
      auto connection = pool_.AcquireAlive(kPoolTimeout);
      if (!connection.ok()) return connection.status();
      const auto pending = IsOrdered(**connection, task_id, kind);
      if (!pending.ok()) return pending.status();
      if (!*pending) return true;
    }
    if (MonotonicNanos() >= end || gone() || stop_.WaitFor(kPoll)) return false;
  }
}

}  // namespace god33::letta
