// bench_bus: the bus at full speed, for benchmarks. It prints the seconds it took. The broker is
// RABBITMQ_URL's.

#include <cstdio>
#include <thread>

#include "amqp/connection.h"
#include "amqp/publisher.h"
#include "base/strings.h"
#include "tests/bench/checkpoints.h"
#include "tests/bench/command.h"

namespace god33::bench {
namespace {

constexpr char kUsage[] = R"(usage: bench_bus ACTION
  publish EXCHANGE SEED N [RATE]   N events, persistent and confirmed; at most RATE a second
  consume QUEUE N                  takes N messages, acks them and does nothing else
  give-back QUEUE N                takes N (at most 65,535) messages and hands them back, so that they are redelivered
)";

constexpr std::size_t kConfirmed = 1000;         // events published at a time
constexpr std::uint16_t kPrefetch = 4000;        // as the manager's
constexpr std::uint16_t kMostPrefetch = 65'535;  // 0 is no more than 2,000 at a quorum queue
constexpr std::size_t kAcked = 1000;             // messages acked at a time
constexpr amqp_channel_t kChannel = amqp::Connection::kChannel;

std::unique_ptr<amqp::Connection> Connect() {
  return Must(amqp::Connection::Open({.url = Environment("RABBITMQ_URL"), .name = "bench"}));
}

// `rate` 0: as fast as it goes.
void Publish(const std::string& exchange, std::uint64_t seed, std::size_t count, std::size_t rate) {
  constexpr std::size_t kStepsOfSecond = 100;
  std::unique_ptr<amqp::Publisher> publisher = Must(amqp::Publisher::Start(Connect()));
  Checkpoints checkpoints(seed);
  std::vector<amqp::Publication> batch;
  const std::size_t step = rate == 0 ? kConfirmed : std::max<std::size_t>(1, rate / kStepsOfSecond);
  const Stopwatch watch;
  for (std::size_t published = 0; published < count; published += batch.size()) {
    const double due = rate == 0 ? 0 : static_cast<double>(published) / static_cast<double>(rate);
    if (const double early = due - watch.Seconds(); early > 0) {
      std::this_thread::sleep_for(std::chrono::duration<double>(early));
    }
    batch.clear();
    while (batch.size() < step && published + batch.size() < count) {
      Checkpoint checkpoint = checkpoints.Next();
      batch.push_back({.exchange = exchange,
                       .routing_key = Checkpoints::kType,
                       .body = std::move(checkpoint.body),
                       .message_id = std::move(checkpoint.id)});
    }
    for (const absl::Status& outcome : Must(publisher->Publish(batch, absl::Seconds(30)))) {
      Check(outcome);
    }
  }
}

// Takes messages as barely as rabbitmq-c allows: a floor for what consumes. With `acked` 0 none is acked.
void Take(const std::string& queue, std::size_t count, std::uint16_t prefetch, std::size_t acked) {
  const std::unique_ptr<amqp::Connection> connection = Connect();
  const amqp_connection_state_t broker = connection->state();
  amqp_basic_qos(broker, kChannel, 0, prefetch, /*global=*/0);
  amqp_basic_consume(broker, kChannel, amqp::Bytes(queue), amqp_empty_bytes, /*no_local=*/0,
                     /*no_ack=*/0, /*exclusive=*/0, amqp_empty_table);
  Check(connection->LastReply("consuming"));
  for (std::size_t taken = 1; taken <= count; ++taken) {
    amqp_maybe_release_buffers(broker);
    amqp_envelope_t envelope;
    const timeval timeout = {.tv_sec = 10, .tv_usec = 0};
    const amqp_rpc_reply_t reply = amqp_consume_message(broker, &envelope, &timeout, 0);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
      Fail(absl::UnavailableError(StrCat("no message of ", queue, " within 10 s")));
    }
    if (acked > 0 && (taken % acked == 0 || taken == count)) {
      amqp_basic_ack(broker, kChannel, envelope.delivery_tag, /*multiple=*/1);
    }
    amqp_destroy_envelope(&envelope);
  }
  // The answer to a close comes after the acks were taken.
  amqp_channel_close(broker, kChannel, AMQP_REPLY_SUCCESS);
}

int Main(int argc, char** argv) {
  Arguments arguments(argc, argv, kUsage);
  const std::string action = arguments.Text();
  const std::string place = arguments.Text();
  const Stopwatch watch;
  if (action == "publish") {
    const std::size_t seed = arguments.Count();
    const std::size_t count = arguments.Count();
    const std::size_t rate = arguments.more() ? arguments.Count() : 0;
    arguments.End();
    Publish(place, seed, count, rate);
  } else if (action == "consume" || action == "give-back") {
    const std::size_t count = arguments.Count();
    arguments.End();
    const bool back = action == "give-back";
    Take(place, count, back ? kMostPrefetch : kPrefetch, back ? 0 : kAcked);
  } else {
    arguments.Usage();
  }
  std::printf("%.3f\n", watch.Seconds());
  return 0;
}

}  // namespace
}  // namespace god33::bench

int main(int argc, char** argv) {
  return god33::bench::Main(argc, argv);
}
