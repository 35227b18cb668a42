#pragma once

#include "amqp/delivery.h"
#include "base/clock.h"
#include "services/event-store-manager/submission.h"
#include "wire/read.h"
#include "wire/registry.h"

namespace god33::manager {

// Reads messages from the bus: an event, or a dead letter with its reason (too_large, unreadable,
// invalid_envelope). Thread-safe.
class Sorter {
 public:
  Sorter(Clock& clock, const wire::PayloadRegistry& registry, std::size_t max_event_bytes)
      : clock_(clock), registry_(registry), max_event_bytes_(max_event_bytes) {}

  // The event that a message is which is received now; its own received_at is not looked at. An error's
  // reason is the dead letter's.
  absl::StatusOr<sequence::NewEvent> Read(wire::Message message,
                                          const std::string& routing_key) const;

  // The delivery is acked when the submission is done.
  Submission Sort(amqp::Delivery delivery) const;

 private:
  Clock& clock_;
  const wire::PayloadRegistry& registry_;
  const std::size_t max_event_bytes_;
};

}  // namespace god33::manager
