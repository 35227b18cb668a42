#include <catch2/catch.hpp>

#include "amqp/consumer.h"
#include "amqp/publisher.h"
#include "amqp/topology.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "testing/servers.h"

namespace god33::amqp {
namespace {

using testing::TestBroker;
using testing::UniqueName;

std::unique_ptr<Connection> Connect() {
  auto connection = Connection::Open(TestBroker());
  REQUIRE(connection.ok());
  return *std::move(connection);
}

std::unique_ptr<Publisher> StartPublisher() {
  auto publisher = Publisher::Start(Connect());
  REQUIRE(publisher.ok());
  return *std::move(publisher);
}

// An exchange and a queue bound to all of it, as the manager has them.
struct Bus {
  Bus() {
    const auto connection = Connect();
    REQUIRE(DeclareExchange(*connection, exchange).ok());
    REQUIRE(DeclareQueue(*connection, {.name = queue,
                                       .arguments = {{"x-queue-type", "quorum"}},
                                       .bindings = {{exchange, "#"}}})
                .ok());
  }

  std::unique_ptr<Consumer> Consume() {
    auto consumer = Consumer::Start(Connect(), queue, 100, wakeup);
    REQUIRE(consumer.ok());
    return *std::move(consumer);
  }

  std::string exchange = UniqueName("exchange");
  std::string queue = UniqueName("queue");
  std::shared_ptr<Wakeup> wakeup = std::make_shared<Wakeup>();
};

// Receives until `count` deliveries have come, for at most 30 s.
std::vector<Delivery> ReceiveAll(Consumer& consumer, std::size_t count) {
  std::vector<Delivery> deliveries;
  const std::int64_t deadline = MonotonicNanos() + 30'000'000'000;
  while (deliveries.size() < count && MonotonicNanos() < deadline) {
    REQUIRE(consumer.Receive(deliveries, 1000, 64 << 20, absl::Seconds(1)).ok());
  }
  REQUIRE(deliveries.size() == count);
  return deliveries;
}

TEST_CASE("a confirmed message is delivered with its body, properties and routing key") {
  Bus bus;
  const auto outcomes = StartPublisher()->Publish({{.exchange = bus.exchange,
                                                    .routing_key = "a.b",
                                                    .body = std::string("{\"x\":\0}", 7),
                                                    .message_id = "m1",
                                                    .headers = {{"k", "v"}}}},
                                                  absl::Seconds(10));
  REQUIRE(outcomes.ok());
  CHECK((*outcomes)[0].ok());
  const auto consumer = bus.Consume();
  const std::vector<Delivery> deliveries = ReceiveAll(*consumer, 1);
  CHECK(deliveries[0].body == std::string("{\"x\":\0}", 7));
  CHECK(deliveries[0].routing_key == "a.b");
  CHECK(deliveries[0].exchange == bus.exchange);
  CHECK(deliveries[0].message_id == "m1");
  CHECK(deliveries[0].content_type == "application/json");
  CHECK_FALSE(deliveries[0].redelivered);
  CHECK(deliveries[0].properties ==
        "{\"content_type\":\"application/json\",\"content_encoding\":\"utf-8\","
        "\"headers\":{\"k\":\"v\"},\"delivery_mode\":2,\"message_id\":\"m1\"}");
}

TEST_CASE("a message that no queue is bound for is reported, its neighbours are confirmed") {
  Bus bus;
  const std::string nowhere = UniqueName("nowhere");
  REQUIRE(DeclareExchange(*Connect(), nowhere).ok());
  const auto outcomes = StartPublisher()->Publish(
      {{.exchange = bus.exchange, .routing_key = "a", .body = "{}", .message_id = "1"},
       {.exchange = nowhere, .routing_key = "a", .body = "{}", .message_id = "2"},
       {.exchange = bus.exchange, .routing_key = "a", .body = "{}", .message_id = "3"}},
      absl::Seconds(10));
  REQUIRE(outcomes.ok());
  CHECK((*outcomes)[0].ok());
  CHECK(ReasonOf((*outcomes)[1]) == "UNROUTABLE");
  CHECK((*outcomes)[2].ok());
}

TEST_CASE("of messages without ids the unroutable ones are told by their routing key") {
  Bus bus;
  const auto outcomes = StartPublisher()->Publish(
      {{.exchange = bus.exchange, .routing_key = "a", .body = "{}"},
       {.exchange = "", .routing_key = UniqueName("no-queue"), .body = "{}"},
       {.exchange = bus.exchange, .routing_key = "b", .body = "{}"}},
      absl::Seconds(10));
  REQUIRE(outcomes.ok());
  CHECK((*outcomes)[0].ok());
  CHECK(ReasonOf((*outcomes)[1]) == "UNROUTABLE");
  CHECK((*outcomes)[2].ok());
}

TEST_CASE(
    "a message goes again with the properties it was delivered with, but for what does harm") {
  Bus bus;
  const std::string properties =
      R"({"content_type":"text/plain","content_encoding":"x","headers":{"n":-5,"d":1.5,"t":true,)"
      R"("none":null,"list":["a",{"b":2}],"table":{"deep":{"er":"\u00e9"}},"x-death":[{"count":1}],)"
      R"("mine":"old","x-first-death-queue":"q"},"delivery_mode":1,"priority":3,)"
      R"("correlation_id":"c","reply_to":"r","expiration":"1","message_id":"m","timestamp":1769508000,)"
      R"("type":"t","user_id":"somebody","app_id":"a"})";
  const auto outcomes = StartPublisher()->Publish({{.exchange = bus.exchange,
                                                    .routing_key = "a",
                                                    .body = "hello",
                                                    .headers = {{"mine", "new"}},
                                                    .properties = properties}},
                                                  absl::Seconds(10));
  REQUIRE(outcomes.ok());
  REQUIRE((*outcomes)[0].ok());
  const auto consumer = bus.Consume();
  CHECK(ReceiveAll(*consumer, 1)[0].properties ==
        R"({"content_type":"text/plain","content_encoding":"x","headers":{"n":-5,"d":1.5,"t":true,)"
        R"("none":null,"list":["a",{"b":2}],"table":{"deep":{"er":"é"}},"mine":"new"},)"
        R"("delivery_mode":2,"priority":3,"correlation_id":"c","reply_to":"r","message_id":"m",)"
        R"("timestamp":1769508000,"type":"t","app_id":"a"})");
}

TEST_CASE("headers that would not fit into a frame again are left out") {
  Bus bus;
  std::string numbers = "1";
  while (numbers.size() < 60'000) numbers += ",1";  // a byte each when they came
  const auto outcomes = StartPublisher()->Publish(
      {{.exchange = bus.exchange,
        .routing_key = "a",
        .body = "1",
        .headers = {{"mine", "new"}},
        .properties = StrCat("{\"headers\":{\"n\":[", numbers, "]},\"message_id\":\"m\"}")},
       {.exchange = bus.exchange,
        .routing_key = "a",
        .body = "2",
        .properties = StrCat("{\"headers\":{\"t\":\"", std::string(100'000, 'x'), "\"}}")}},
      absl::Seconds(10));
  REQUIRE(outcomes.ok());
  const auto consumer = bus.Consume();
  const auto deliveries = ReceiveAll(*consumer, 2);
  CHECK(deliveries[0].properties ==
        R"({"headers":{"mine":"new"},"delivery_mode":2,"message_id":"m"})");
  CHECK(deliveries[1].properties.size() > 100'000);
}

TEST_CASE("a message without properties goes again without them") {
  Bus bus;
  REQUIRE(StartPublisher()
              ->Publish({{.exchange = bus.exchange,
                          .routing_key = "a",
                          .body = "",
                          .properties = R"({"reply_to":"amq.rabbitmq.reply-to.x"})"}},
                        absl::Seconds(10))
              .ok());
  const auto consumer = bus.Consume();
  CHECK(ReceiveAll(*consumer, 1)[0].properties == R"({"delivery_mode":2})");
}

TEST_CASE("publishing to an exchange that does not exist says so") {
  const auto outcomes = StartPublisher()->Publish(
      {{.exchange = UniqueName("missing"), .routing_key = "a", .body = "{}"}}, absl::Seconds(10));
  CHECK(ReasonOf(outcomes.status()) == "AMQP_NOT_FOUND");
}

TEST_CASE("only what was acked is gone; the rest comes back, marked") {
  Bus bus;
  std::vector<Publication> publications;
  for (int i = 0; i < 10; ++i) {
    publications.push_back({.exchange = bus.exchange,
                            .routing_key = "a",
                            .body = std::to_string(i),
                            .message_id = std::to_string(i)});
  }
  REQUIRE(StartPublisher()->Publish(publications, absl::Seconds(10)).ok());
  {
    const auto consumer = bus.Consume();
    std::vector<Delivery> deliveries = ReceiveAll(*consumer, 10);
    // Done in any order; only the run from the front can be acked.
    std::move(deliveries[2]).Ack();
    std::move(deliveries[0]).Ack();
    std::move(deliveries[1]).Ack();
    std::move(deliveries[5]).Ack();
    std::vector<Delivery> more;
    REQUIRE(consumer->Receive(more, 10, 1 << 20, absl::ZeroDuration()).ok());
    CHECK(consumer->outstanding() == 7);
  }
  const auto consumer = bus.Consume();
  const std::vector<Delivery> rest = ReceiveAll(*consumer, 7);
  for (std::size_t i = 0; i < rest.size(); ++i) {
    CHECK(rest[i].body == std::to_string(i + 3));
    CHECK(rest[i].redelivered);
  }
}

TEST_CASE("a message of many frames arrives whole") {
  Bus bus;
  std::string body(5 << 20, 'x');
  for (std::size_t i = 0; i < body.size(); i += 4093) body[i] = static_cast<char>(i % 251);
  REQUIRE(StartPublisher()
              ->Publish({{.exchange = bus.exchange, .routing_key = "a", .body = body}},
                        absl::Seconds(30))
              .ok());
  const auto consumer = bus.Consume();
  CHECK(ReceiveAll(*consumer, 1)[0].body == body);
}

TEST_CASE("a wake-up ends the wait for a delivery, and a done delivery is one") {
  Bus bus;
  const auto consumer = bus.Consume();
  const std::int64_t started = MonotonicNanos();
  bus.wakeup->Signal();
  std::vector<Delivery> none;
  REQUIRE(consumer->Receive(none, 10, 1 << 20, absl::Seconds(60)).ok());
  CHECK(none.empty());
  CHECK(MonotonicNanos() - started < 50'000'000'000);
}

TEST_CASE("a queue that exists with other arguments is refused with what to do") {
  Bus bus;
  const absl::Status status = DeclareQueue(*Connect(), {.name = bus.queue});
  CHECK(ReasonOf(status) == "QUEUE_ARGUMENTS");
  CHECK(std::string(MessageOf(status)).find("\"existing\"") != std::string::npos);
  CHECK(DeclareQueue(*Connect(), {.name = bus.queue, .existing = true}).ok());
}

TEST_CASE("a consumer whose queue is deleted ends with an error") {
  Bus bus;
  const auto consumer = bus.Consume();
  const auto other = Connect();
  amqp_queue_delete(other->state(), Connection::kChannel, Bytes(bus.queue), 0, 0);
  absl::Status status;
  const std::int64_t deadline = MonotonicNanos() + 30'000'000'000;
  while (status.ok() && MonotonicNanos() < deadline) {
    std::vector<Delivery> none;
    status = consumer->Receive(none, 10, 1 << 20, absl::Seconds(1));
  }
  CHECK(absl::IsUnavailable(status));
}

TEST_CASE("a wrong password is an error that names the step") {
  Config config = TestBroker();
  config.url.replace(config.url.find("god33:"), 6, "god33:x");
  const auto connection = Connection::Open(config);
  REQUIRE_FALSE(connection.ok());
  CHECK(std::string(MessageOf(connection.status())).find("logging in") != std::string::npos);
}

TEST_CASE("arguments of a queue are read from JSON") {
  const auto arguments = ParseArguments("{\"x-max-length\":100000,\"a\":\"b\",\"c\":true}");
  REQUIRE(arguments.ok());
  CHECK(std::get<std::int64_t>(arguments->at("x-max-length")) == 100000);
  CHECK(std::get<std::string>(arguments->at("a")) == "b");
  CHECK(std::get<bool>(arguments->at("c")));
  CHECK_FALSE(ParseArguments("[]").ok());
  CHECK_FALSE(ParseArguments("{\"a\":1.5}").ok());
}

}  // namespace
}  // namespace god33::amqp
