#include "services/event-store-manager/sorter.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace god33::manager {

absl::StatusOr<sequence::NewEvent> Sorter::Read(wire::Message message,
                                                const std::string& routing_key) const {
  if (message.body.size() > max_event_bytes_) {
    return MakeError(
        absl::StatusCode::kInvalidArgument, "too_large",
        StrCat("the message has ", message.body.size(), " bytes, the limit is ", max_event_bytes_));
  }
  message.received_at = clock_.Now();
  auto envelope = wire::ReadMessage(message);
  if (!envelope.ok()) return envelope.status();
  sequence::NewEvent event = sequence::Prepare(*std::move(envelope));
  event.payload_errors = registry_.Check(event.envelope.type, event.envelope.payload);
  event.routing_key = routing_key;
  return event;
}

Submission Sorter::Sort(amqp::Delivery delivery) const {
  Submission submission;
  submission.received_nanos = MonotonicNanos();
  submission.bytes = delivery.body.size();

  absl::StatusOr<sequence::NewEvent> event = Read({.body = delivery.body,
                                                   .content_type = delivery.content_type,
                                                   .message_id = delivery.message_id,
                                                   .timestamp = delivery.timestamp},
                                                  delivery.routing_key);
  eventlog::Origin origin{.exchange = std::move(delivery.exchange),
                          .routing_key = std::move(delivery.routing_key),
                          .properties = std::move(delivery.properties),
                          .body = std::move(delivery.body),
                          .redelivered = delivery.redelivered};
  if (event.ok()) {
    submission.unit.events.push_back(*std::move(event));
    submission.origin = std::move(origin);
  } else {
    submission.dead_letter = eventlog::DeadLetter{.reason = ReasonOf(event.status()),
                                                  .detail = std::string(MessageOf(event.status())),
                                                  .origin = std::move(origin)};
  }
  submission.done = [delivery = std::move(delivery)](const auto&) mutable {
    std::move(delivery).Ack();
  };
  return submission;
}

}  // namespace god33::manager
