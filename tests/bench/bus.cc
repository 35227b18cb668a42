// bench_bus: the bus at full speed, for benchmarks. It prints the seconds it took.
//
//   bench_bus publish N          publishes N events on Bloodbank, persistent and confirmed
//   bench_bus consume QUEUE N    takes N messages from QUEUE, acks them and does nothing else
//
// The broker is RABBITMQ_URL's.

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "amqp/connection.h"
#include "amqp/publisher.h"
#include "base/clock.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "testing/random.h"

namespace god33 {
namespace {

constexpr std::size_t kConfirmed = 1000;   // events published at a time
constexpr std::uint16_t kPrefetch = 4000;  // as the manager's
constexpr std::size_t kAcked = 1000;       // messages acked at a time
constexpr amqp_channel_t kChannel = amqp::Connection::kChannel;
constexpr std::size_t kSessions = 100;

[[noreturn]] void Fail(const absl::Status& status) {
  std::cerr << "bench_bus: " << status.message() << '\n';
  std::exit(1);
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) Fail(value.status());
  return *std::move(value);
}

std::unique_ptr<amqp::Connection> Connect() {
  const char* url = std::getenv("RABBITMQ_URL");
  if (url == nullptr) Fail(absl::InvalidArgumentError("RABBITMQ_URL is not set"));
  return Must(amqp::Connection::Open({.url = url, .name = "bench"}));
}

// Checkpoints of agents that work side by side, as seed 001 shows them (750 to 800 bytes): each names its
// workflow and session, and the one before it as its cause.
class Checkpoints {
 public:
  amqp::Publication Next() {
    Session& session = sessions_[count_ % kSessions];
    const std::string id = random_.Id().ToString();
    const std::string cause = session.last.empty() ? "" : StrCat("\"", session.last, "\"");
    std::string body = absl::StrFormat(
        R"({"event_id":"%s","event_type":"%s","timestamp":"%s","version":"1.0.0",)"
        R"("source":{"host":"bench","type":"agent","app":"letta","meta":null},"correlation_ids":[%s],)"
        R"("agent_context":{"type":"letta-python-dev","name":"Python Dev","instance_id":"letta-python-dev-%d"},)"
        R"("payload":{"workflow_id":"%s","session_id":"%s","checkpoint_id":"letta-checkpoint-%d",)"
        R"("agent_instance_id":"letta-python-dev-%d","checkpoint_type":"progress",)"
        R"("summary":"Completed auth module implementation","context_snapshot":{)"
        R"("files_modified":["src/auth/module.py","tests/test_auth.py"],"current_focus":"Writing unit tests",)"
        R"("next_steps":"Integration tests"},"metrics":{"tokens_used":45000,"duration_seconds":1200}}})",
        id, kType, FormatTimestamp(clock_.Now()), cause, count_ % kSessions, session.workflow,
        session.id, count_, count_ % kSessions);
    session.last = id;
    ++count_;
    return {.exchange = "bloodbank.events.v1",
            .routing_key = kType,
            .body = std::move(body),
            .message_id = id};
  }

 private:
  static constexpr const char* kType = "agent.letta.checkpoint.saved";

  struct Session {
    std::string id;
    std::string workflow;
    std::string last;
  };

  std::vector<Session> MakeSessions() {
    std::vector<Session> sessions(kSessions);
    for (Session& session : sessions) {
      session = {.id = random_.Id().ToString(), .workflow = random_.Id().ToString(), .last = ""};
    }
    return sessions;
  }

  SystemClock clock_;
  testing::Random random_{static_cast<std::uint64_t>(absl::ToUnixNanos(clock_.Now()))};
  std::vector<Session> sessions_ = MakeSessions();
  std::size_t count_ = 0;
};

void Publish(std::size_t count) {
  std::unique_ptr<amqp::Publisher> publisher = Must(amqp::Publisher::Start(Connect()));
  Checkpoints checkpoints;
  std::vector<amqp::Publication> batch;
  while (count > 0) {
    batch.clear();
    for (; count > 0 && batch.size() < kConfirmed; --count) batch.push_back(checkpoints.Next());
    for (const absl::Status& outcome : Must(publisher->Publish(batch, absl::Seconds(30)))) {
      if (!outcome.ok()) Fail(outcome);
    }
  }
}

// As bare as rabbitmq-c allows: a floor for what consumes.
void Consume(const std::string& queue, std::size_t count) {
  const std::unique_ptr<amqp::Connection> connection = Connect();
  const amqp_connection_state_t broker = connection->state();
  amqp_basic_qos(broker, kChannel, 0, kPrefetch, /*global=*/0);
  amqp_basic_consume(broker, kChannel, amqp::Bytes(queue), amqp_empty_bytes, /*no_local=*/0,
                     /*no_ack=*/0,
                     /*exclusive=*/0, amqp_empty_table);
  if (const absl::Status status = connection->LastReply("consuming"); !status.ok()) Fail(status);
  for (std::size_t taken = 1; taken <= count; ++taken) {
    amqp_maybe_release_buffers(broker);
    amqp_envelope_t envelope;
    const timeval timeout = {.tv_sec = 10, .tv_usec = 0};
    const amqp_rpc_reply_t reply = amqp_consume_message(broker, &envelope, &timeout, 0);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
      Fail(absl::UnavailableError("no message within 10 s"));
    if (taken % kAcked == 0 || taken == count) {
      amqp_basic_ack(broker, kChannel, envelope.delivery_tag, /*multiple=*/1);
    }
    amqp_destroy_envelope(&envelope);
  }
  // The answer to a close comes after the acks were taken.
  amqp_channel_close(broker, kChannel, AMQP_REPLY_SUCCESS);
}

int Main(int argc, char** argv) {
  const std::string action = argc > 1 ? argv[1] : "";
  std::size_t count = 0;
  const bool counted = argc > 2 && absl::SimpleAtoi(argv[argc - 1], &count) && count > 0;
  const std::int64_t began = MonotonicNanos();
  if (counted && argc == 3 && action == "publish") {
    Publish(count);
  } else if (counted && argc == 4 && action == "consume") {
    Consume(argv[2], count);
  } else {
    std::cerr << "usage: bench_bus publish N | consume QUEUE N\n";
    return 2;
  }
  std::printf("%.3f\n", static_cast<double>(MonotonicNanos() - began) / 1e9);
  return 0;
}

}  // namespace
}  // namespace god33

int main(int argc, char** argv) {
  return god33::Main(argc, argv);
}
