#include "services/event-store-manager/sorter.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "wire/read.h"

namespace god33::manager {

Submission Sorter::Sort(amqp::Delivery delivery) const {
  Submission submission;
  submission.received_nanos = MonotonicNanos();
  submission.bytes = delivery.body.size();

  absl::StatusOr<event::Envelope> envelope =
      delivery.body.size() > max_event_bytes_
          ? MakeError(absl::StatusCode::kInvalidArgument, "too_large",
                      StrCat("the message has ", delivery.body.size(), " bytes, the limit is ",
                             max_event_bytes_))
          : wire::ReadMessage({.body = delivery.body,
                               .content_type = delivery.content_type,
                               .message_id = delivery.message_id,
                               .timestamp = delivery.timestamp,
                               .received_at = clock_.Now()});
  eventlog::Origin origin{.exchange = std::move(delivery.exchange),
                          .routing_key = std::move(delivery.routing_key),
                          .properties = std::move(delivery.properties),
                          .body = std::move(delivery.body),
                          .redelivered = delivery.redelivered};
  if (envelope.ok()) {
    sequence::NewEvent event = sequence::Prepare(*std::move(envelope));
    event.payload_errors = registry_.Check(event.envelope.type, event.envelope.payload);
    event.routing_key = origin.routing_key;
    submission.unit.events.push_back(std::move(event));
    submission.origin = std::move(origin);
  } else {
    submission.dead_letter =
        eventlog::DeadLetter{.reason = ReasonOf(envelope.status()),
                             .detail = std::string(MessageOf(envelope.status())),
                             .origin = std::move(origin)};
  }
  submission.done = [delivery = std::move(delivery)](const auto&) mutable {
    std::move(delivery).Ack();
  };
  return submission;
}

}  // namespace god33::manager
