#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "amqp/consumer.h"
#include "base/clock.h"
#include "base/stop.h"
#include "base/wakeup.h"
#include "reaction/metrics.h"
#include "reaction/reaction.h"
#include "reaction/reactor.h"
#include "wire/registry.h"

namespace god33::reaction {

// Consumes one queue on a thread and a connection of its own, and has the reaction handle what it brings, message
// by message. A message is acked when it is done with. When the broker goes away it comes back by itself.
class QueueReader {
 public:
  // Told whether it consumes, and why not.
  using Tell = std::function<void(const absl::Status& status)>;

  QueueReader(const Options& options, const amqp::Queue& queue, Reaction& reaction,
              const Handler& handler, const wire::PayloadRegistry& registry, Clock& clock,
              Metrics& metrics, Tell tell);

  // Finishes the reaction under way and stops.
  ~QueueReader();

  QueueReader(const QueueReader&) = delete;
  QueueReader& operator=(const QueueReader&) = delete;

 private:
  void Run();
  absl::StatusOr<std::unique_ptr<amqp::Consumer>> Connect();
  absl::Status Consume(amqp::Consumer& consumer);
  absl::Status Handle(amqp::Consumer& consumer, amqp::Delivery delivery);

  // nullopt: the message is not for this service.
  std::optional<Task> Read(const amqp::Delivery& delivery) const;

  const Options& options_;
  const amqp::Queue& queue_;
  Reaction& reaction_;
  const Handler& handler_;
  const wire::PayloadRegistry& registry_;
  Clock& clock_;
  Metrics& metrics_;
  const Tell tell_;
  const std::shared_ptr<Wakeup> wakeup_ = std::make_shared<Wakeup>();
  Stop stop_;
  std::thread thread_;
};

}  // namespace god33::reaction
