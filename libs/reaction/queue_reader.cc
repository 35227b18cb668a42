#include "reaction/queue_reader.h"

#include <utility>
#include <vector>

#include "base/backoff.h"
#include "base/error.h"
#include "telemetry/log.h"
#include "wire/read.h"

namespace god33::reaction {
namespace {

constexpr std::size_t kMostBytesAtOnce = 4 << 20;
constexpr absl::Duration kWait = absl::Seconds(1);

// Lets heartbeats go on, and is ended by the stop.
absl::Status WaitUnread(amqp::Consumer& consumer, const Stop& stop, absl::Duration duration) {
  const std::int64_t end = MonotonicNanos() + absl::ToInt64Nanoseconds(duration);
  while (!stop.requested()) {
    const absl::Duration left = absl::Nanoseconds(end - MonotonicNanos());
    if (left <= absl::ZeroDuration()) break;
    if (absl::Status status = consumer.Pause(left); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

QueueReader::QueueReader(const Options& options, const amqp::Queue& queue, Reaction& reaction,
                         const Handler& handler, const wire::PayloadRegistry& registry,
                         Clock& clock, Metrics& metrics, Tell tell)
    : options_(options),
      queue_(queue),
      reaction_(reaction),
      handler_(handler),
      registry_(registry),
      clock_(clock),
      metrics_(metrics),
      tell_(std::move(tell)),
      thread_([this] { Run(); }) {}

QueueReader::~QueueReader() {
  stop_.Request();
  wakeup_->Signal();
  thread_.join();
}

void QueueReader::Run() {
  Backoff backoff(absl::Milliseconds(200), absl::Seconds(5), RandomFraction);
  while (!stop_.requested()) {
    auto consumer = Connect();
    absl::Status status = consumer.status();
    if (status.ok()) {
      metrics_.bus_connects.Increment();
      tell_(absl::OkStatus());
      Log(LogLevel::kInfo, "consuming", {{"queue", queue_.name}});
      backoff.Reset();
      status = Consume(**consumer);
    }
    if (status.ok()) break;
    tell_(status);
    stop_.WaitFor(backoff.Next());
  }
}

absl::StatusOr<std::unique_ptr<amqp::Consumer>> QueueReader::Connect() {
  auto connection = amqp::Connection::Open(options_.broker);
  if (!connection.ok()) return connection.status();
  absl::Status status = amqp::DeclareExchange(**connection, options_.exchange);
  if (status.ok()) status = amqp::DeclareQueue(**connection, queue_);
  if (!status.ok()) return status;
  return amqp::Consumer::Start(*std::move(connection), queue_.name, options_.prefetch, wakeup_);
}

// OK: a stop was asked for.
absl::Status QueueReader::Consume(amqp::Consumer& consumer) {
  std::vector<amqp::Delivery> deliveries;
  while (!stop_.requested()) {
    absl::Status status = consumer.Receive(deliveries, options_.prefetch, kMostBytesAtOnce, kWait);
    for (amqp::Delivery& delivery : deliveries) {
      if (!status.ok() || stop_.requested()) break;
      status = Handle(consumer, std::move(delivery));
      // Acks it, and gives a sign of life: a few slow reactions take longer than the broker waits for one.
      if (status.ok()) status = consumer.Pause(absl::ZeroDuration());
    }
    deliveries.clear();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// An error is the broker's. The message is acked, or else kept by the broker.
absl::Status QueueReader::Handle(amqp::Consumer& consumer, amqp::Delivery delivery) {
  std::optional<Task> task = Read(delivery);
  if (!task) {
    metrics_.left.Increment();
    std::move(delivery).Ack();
    return absl::OkStatus();
  }
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(5), RandomFraction);
  while (!stop_.requested()) {
    if (reaction_.React(*task).ok()) {
      std::move(delivery).Ack();
      return absl::OkStatus();
    }
    absl::Status status = WaitUnread(consumer, stop_, backoff.Next());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

std::optional<Task> QueueReader::Read(const amqp::Delivery& delivery) const {
  if (delivery.body.size() > options_.max_event_bytes) return std::nullopt;
  auto envelope = wire::ReadMessage({.body = delivery.body,
                                     .content_type = delivery.content_type,
                                     .message_id = delivery.message_id,
                                     .timestamp = delivery.timestamp,
                                     .received_at = clock_.Now()});
  if (!envelope.ok() || !options_.event_types.contains(envelope->type) ||
      !handler_.Concerns(*envelope)) {
    return std::nullopt;
  }
  Task task{.origin = Origin::kBus};
  sequence::NewEvent& event = task.incoming.event;
  event = sequence::Prepare(*std::move(envelope));
  event.payload_errors = registry_.Check(event.envelope.type, event.envelope.payload);
  event.routing_key = delivery.routing_key;
  return task;
}

}  // namespace god33::reaction
