#include "services/event-store-manager/bus_reader.h"

#include <utility>
#include <vector>

#include "base/backoff.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

constexpr std::size_t kMostAtOnce = 500;
constexpr std::size_t kMostBytesAtOnce = 4 << 20;
constexpr absl::Duration kWait = absl::Seconds(1);

// A failpoint: what is to be told after the commit is told before it.
void TellBeforeCommit(Submission& submission) {
  std::move(submission.done)(sequence::Outcome());
  submission.done = [](const auto&) {};
}

}  // namespace

BusReader::BusReader(Options options, const Sorter& sorter, LogWriter& writer, Metrics& metrics,
                     rpc::Health& health)
    : options_(std::move(options)),
      sorter_(sorter),
      writer_(writer),
      metrics_(metrics),
      health_(health),
      thread_([this] { Run(); }) {}

BusReader::~BusReader() {
  stop_.Request();
  wakeup_->Signal();
  thread_.join();
}

void BusReader::Run() {
  Backoff backoff(absl::Milliseconds(200), absl::Seconds(5), RandomFraction);
  while (!stop_.requested()) {
    auto consumer = Connect();
    absl::Status status = consumer.status();
    if (status.ok()) {
      metrics_.bus_connects.Increment();
      health_.Set("rabbitmq", true);
      Log(LogLevel::kInfo, "consuming", {{"queue", options_.topology.queue.name}});
      backoff.Reset();
      status = Consume(**consumer);
    }
    if (status.ok()) break;
    health_.Set("rabbitmq", false, std::string(MessageOf(status)));
    stop_.WaitFor(backoff.Next());
  }
}

absl::StatusOr<std::unique_ptr<amqp::Consumer>> BusReader::Connect() {
  auto connection = amqp::Connection::Open(options_.broker);
  if (!connection.ok()) return connection.status();
  const Topology& topology = options_.topology;
  absl::Status status = amqp::DeclareExchange(**connection, topology.exchange);
  if (status.ok()) status = amqp::DeclareQueue(**connection, topology.queue);
  if (!status.ok()) return status;
  return amqp::Consumer::Start(*std::move(connection), topology.queue.name, options_.prefetch,
                               wakeup_);
}

// OK: a stop was asked for, and what had been taken is done with.
absl::Status BusReader::Consume(amqp::Consumer& consumer) {
  std::vector<amqp::Delivery> deliveries;
  while (!stop_.requested()) {
    const bool held_back =
        writer_.congested() || consumer.outstanding_bytes() > options_.most_outstanding_bytes;
    absl::Status status = held_back
                              ? consumer.Pause(kWait)
                              : consumer.Receive(deliveries, kMostAtOnce, kMostBytesAtOnce, kWait);
    const bool too_early = failpoint::Reached("ack_before_commit");
    for (amqp::Delivery& delivery : deliveries) {
      Submission submission = sorter_.Sort(std::move(delivery));
      if (too_early) TellBeforeCommit(submission);
      writer_.SubmitMessage(std::move(submission));
    }
    deliveries.clear();
    if (!status.ok()) return status;
  }
  Drain(consumer);
  return absl::OkStatus();
}

void BusReader::Drain(amqp::Consumer& consumer) {
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(options_.drain);
  absl::Status status = consumer.Cancel();
  while (status.ok() && consumer.outstanding() > 0 && MonotonicNanos() < deadline) {
    status = consumer.Pause(absl::Milliseconds(100));
  }
}

}  // namespace god33::manager
