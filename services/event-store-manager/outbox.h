#pragma once

#include <functional>
#include <memory>

#include "amqp/publisher.h"
#include "rpc/health.h"
#include "services/event-store-manager/bus_reader.h"
#include "services/event-store-manager/follower.h"
#include "services/event-store-manager/metrics.h"

namespace god33::manager {

// Carries from the database to the bus: events that our services appended, in the order of positions,
// and copies of dead letters for operators. Each at least once: the cursor, or the row's mark, moves
// after the broker's confirm. Copies that can't be made (a dead-letter queue with other arguments) hold
// up no event. While the broker is in alarm and takes no messages it waits, and says so: the component
// "outbox" and god33_broker_blocked.
class Outbox final : public FollowerWork {
 public:
  Outbox(amqp::Config broker, Topology topology, Metrics& metrics, rpc::Health& health)
      : broker_(std::move(broker)),
        topology_(std::move(topology)),
        metrics_(metrics),
        health_(health) {}

  absl::StatusOr<bool> Step(pg::Connection& connection, eventlog::CursorLease& lease) override;
  void LeaseEnded() override;

 private:
  using Declare = std::function<absl::Status(amqp::Connection&)>;

  absl::StatusOr<bool> RelayEvents(pg::Connection& connection, eventlog::CursorLease& lease);
  absl::StatusOr<bool> CopyDeadLetters(pg::Connection& connection);
  void Tell(const absl::Status& blocked);

  // Publishes over `publisher`, which is made first if there is none, after `declare`.
  absl::Status Publish(std::unique_ptr<amqp::Publisher>& publisher, const Declare& declare,
                       const std::vector<amqp::Publication>& publications);

  const amqp::Config broker_;
  const Topology topology_;
  Metrics& metrics_;
  rpc::Health& health_;
  std::unique_ptr<amqp::Publisher> events_;
  std::unique_ptr<amqp::Publisher> dead_letters_;
  std::int64_t copy_again_nanos_ = 0;  // after a copy failed: when to try again
};

}  // namespace god33::manager
