#pragma once

#include <memory>

#include "amqp/publisher.h"
#include "services/event-store-manager/bus_reader.h"
#include "services/event-store-manager/follower.h"
#include "services/event-store-manager/metrics.h"

namespace god33::manager {

// Carries from the database to the bus: events that our services appended, in the order of
// positions, and copies of dead letters for operators. Each at least once: the cursor, or the row's
// mark, moves after the broker's confirm.
class Outbox final : public FollowerWork {
 public:
  Outbox(amqp::Config broker, Topology topology, Metrics& metrics)
      : broker_(std::move(broker)), topology_(std::move(topology)), metrics_(metrics) {}

  absl::StatusOr<bool> Step(pg::Connection& connection, eventlog::CursorLease& lease) override;

 private:
  absl::StatusOr<bool> RelayEvents(pg::Connection& connection, eventlog::CursorLease& lease);
  absl::StatusOr<bool> CopyDeadLetters(pg::Connection& connection);
  absl::Status Publish(const std::vector<amqp::Publication>& publications);

  const amqp::Config broker_;
  const Topology topology_;
  Metrics& metrics_;
  std::unique_ptr<amqp::Publisher> publisher_;
};

}  // namespace god33::manager
