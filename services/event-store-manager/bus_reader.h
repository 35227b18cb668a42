#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "amqp/consumer.h"
#include "amqp/topology.h"
#include "base/stop.h"
#include "base/wakeup.h"
#include "rpc/health.h"
#include "services/event-store-manager/log_writer.h"
#include "services/event-store-manager/metrics.h"
#include "services/event-store-manager/sorter.h"

namespace god33::manager {

// The bus's topology as far as the manager is concerned.
struct Topology {
  std::string exchange;
  amqp::Queue queue;
  amqp::Queue dead_letter_queue;
};

// Consumes the manager's queue and hands every message to the writer; a message is acked when the
// writer is done with it. When the broker goes away it comes back by itself. With a single active
// consumer several replicas may run: the others stand by.
class BusReader {
 public:
  struct Options {
    amqp::Config broker;
    Topology topology;
    std::uint16_t prefetch = 4000;

    // Bodies of messages that are out; beyond it the broker is held back.
    std::size_t most_outstanding_bytes = 256 << 20;
    absl::Duration drain = absl::Seconds(5);
  };

  BusReader(Options options, const Sorter& sorter, LogWriter& writer, Metrics& metrics,
            rpc::Health& health);

  // Takes no more messages, waits until those it took are done with (at most `drain`), and stops.
  ~BusReader();

  BusReader(const BusReader&) = delete;
  BusReader& operator=(const BusReader&) = delete;

 private:
  void Run();
  absl::StatusOr<std::unique_ptr<amqp::Consumer>> Connect();
  absl::Status Consume(amqp::Consumer& consumer);
  void Drain(amqp::Consumer& consumer);

  const Options options_;
  const Sorter& sorter_;
  LogWriter& writer_;
  Metrics& metrics_;
  rpc::Health& health_;
  const std::shared_ptr<Wakeup> wakeup_ = std::make_shared<Wakeup>();
  Stop stop_;
  std::thread thread_;
};

}  // namespace god33::manager
