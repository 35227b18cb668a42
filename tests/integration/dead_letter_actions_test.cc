#include <catch2/catch.hpp>
#include <thread>

#include "absl/synchronization/notification.h"
#include "amqp/consumer.h"
#include "amqp/properties.h"
#include "amqp/topology.h"
#include "eventlog/dead_letter.h"
#include "services/event-store-manager/dead_letter_sender.h"
#include "services/event-store-manager/dead_letter_store.h"
#include "testing/servers.h"
#include "tests/integration/events.h"

namespace god33::manager {
namespace {

using store::v1::DeadLetter;
using testing::TestBroker;
using testing::TestDatabase;
using testing::UniqueName;

struct Letters {
  Letters() : writer(TestDatabase::Connect(database.Writer())) {}

  void Insert(const std::string& reason, const std::string& body, const std::string& type = "",
              const std::string& exchange = "e", const std::string& key = "a.b",
              const std::string& properties = "{}", bool redelivered = false) {
    REQUIRE(eventlog::InsertDeadLetters(*writer, {{.reason = reason,
                                                   .detail = "why",
                                                   .event_type = type,
                                                   .origin = {.exchange = exchange,
                                                              .routing_key = key,
                                                              .properties = properties,
                                                              .body = body,
                                                              .redelivered = redelivered}}})
                .ok());
  }

  std::int64_t Count(const std::string& where) {
    const std::string sql = StrCat("SELECT count(*) FROM dead_letters WHERE ", where);
    const pg::Statement statement = {"count", sql.c_str()};
    return TestDatabase::Connect(database.Admin())->Query(statement)->Int8(0, 0);
  }

  // The bodies' sizes of all pages, which tell the rows apart.
  std::vector<std::int64_t> List(store::v1::ListDeadLettersRequest request) {
    std::vector<std::int64_t> sizes;
    for (;;) {
      const auto query = ReadQuery(request);
      REQUIRE(query.ok());
      store::v1::ListDeadLettersResponse page;
      REQUIRE(store.List(*query, page) == absl::OkStatus());
      last = page;
      for (const DeadLetter& letter : page.dead_letters()) {
        CHECK(letter.body().empty());
        sizes.push_back(letter.body_size());
      }
      if (page.next_page_token().empty()) return sizes;
      CHECK(page.dead_letters_size() > 0);
      request.set_page_token(page.next_page_token());
    }
  }

  TestDatabase database;
  std::unique_ptr<pg::Connection> writer;
  DeadLetterStore store{database.Writer(), 4};
  store::v1::ListDeadLettersResponse last;
};

using Sizes = std::vector<std::int64_t>;

std::string Size(int size) {
  return std::string(static_cast<std::size_t>(size), 'x');
}

TEST_CASE("dead letters are listed newest first, by every filter, page by page") {
  Letters letters;
  letters.Insert("unreadable", Size(1));
  letters.Insert("id_conflict", Size(2), "agent.task");
  letters.Insert("id_conflict", Size(3), "agent.letta.task.done");
  letters.Insert("store_failed", Size(4), "agent.letta.task", "e", "other.key");
  letters.Insert("unreadable", Size(5));
  store::v1::ListDeadLettersRequest request;
  for (const int limit : {1, 2, 100}) {
    request.set_limit(limit);
    CHECK(letters.List(request) == Sizes{5, 4, 3, 2, 1});
    CHECK(letters.last.total() == 5);
    CHECK(letters.last.total_exact());
    request.set_event_type("agent.*");
    CHECK(letters.List(request) == Sizes{4, 3, 2});
    request.set_event_type("agent.*.task");
    CHECK(letters.List(request) == Sizes{4});
    request.set_event_type("agent.task");
    CHECK(letters.List(request) == Sizes{2});
    request.set_event_type("nobody.*");
    CHECK(letters.List(request).empty());
    CHECK(letters.last.total() == 0);
    request.clear_event_type();
    request.set_reason("id_conflict");
    CHECK(letters.List(request) == Sizes{3, 2});
    request.clear_reason();
    request.set_routing_key("other.key");
    CHECK(letters.List(request) == Sizes{4});
    request.clear_routing_key();
  }
  bool changed = false;
  REQUIRE(letters.store.Drop(2, changed).ok());
  CHECK(changed);
  CHECK(letters.List(request) == Sizes{5, 4, 3, 1});
  request.set_state("dropped");
  CHECK(letters.List(request) == Sizes{2});
  request.set_state("all");
  request.set_limit(1);
  CHECK(letters.List(request) == Sizes{5, 4, 3, 2, 1});
  request.mutable_since()->set_seconds(4102444800);
  CHECK(letters.List(request).empty());
}

TEST_CASE("a page of large rows ends early and goes on") {
  Letters letters;
  const std::string properties = StrCat("{\"headers\":{\"h\":\"", Size(600'000), "\"}}");
  for (int i = 1; i <= 9; ++i) letters.Insert("unreadable", Size(i), "", "e", "a", properties);
  store::v1::ListDeadLettersResponse page;
  REQUIRE(letters.store.List(*ReadQuery({}), page).ok());
  CHECK(page.dead_letters_size() < 9);
  CHECK(page.total() == 9);
  CHECK(letters.List({}) == Sizes{9, 8, 7, 6, 5, 4, 3, 2, 1});
}

TEST_CASE("a body of more than 16 MiB is left out; an unknown id is not found") {
  Letters letters;
  letters.Insert("too_large", Size((16 << 20) + 1));
  letters.Insert("unreadable", std::string("\0\xff", 2));
  const auto large = letters.store.Get(1, DeadLetterStore::kMostBody);
  REQUIRE(large.ok());
  CHECK(large->body_size() == (16 << 20) + 1);
  CHECK(large->body().empty());
  CHECK(letters.store.Get(2, DeadLetterStore::kMostBody)->body() == std::string("\0\xff", 2));
  CHECK(ReasonOf(letters.store.Get(3, 0).status()) == "DEAD_LETTER_NOT_FOUND");
  bool changed = false;
  CHECK(ReasonOf(letters.store.Drop(3, changed).status()) == "DEAD_LETTER_NOT_FOUND");
}

TEST_CASE("what could not be sent is not marked; what was sent is, once") {
  Letters letters;
  letters.Insert("unreadable", "hello");
  const auto fails = [](const DeadLetter&) { return absl::UnavailableError("away"); };
  const auto sends = [](const DeadLetter& letter) {
    CHECK(letter.body() == "hello");
    return absl::OkStatus();
  };
  const auto never = [](const DeadLetter&) {
    FAIL("sent");
    return absl::OkStatus();
  };
  CHECK(absl::IsUnavailable(letters.store.SendBack(1, false, fails).status()));
  CHECK(letters.Count("state = 'open' AND times_sent_back = 0") == 1);
  const auto sent = letters.store.SendBack(1, false, sends);
  REQUIRE(sent.ok());
  CHECK(sent->state() == "sent_back");
  CHECK(sent->times_sent_back() == 1);
  CHECK(sent->has_sent_back_at());
  CHECK(ReasonOf(letters.store.SendBack(1, false, never).status()) == "ALREADY_SENT_BACK");
  CHECK(letters.store.SendBack(1, true, sends)->times_sent_back() == 2);
  bool changed = false;
  CHECK(letters.store.Drop(1, changed)->state() == "dropped");
  CHECK(letters.store.Drop(1, changed)->state() == "dropped");
  CHECK_FALSE(changed);
  CHECK(ReasonOf(letters.store.SendBack(1, true, never).status()) == "DROPPED");
}

TEST_CASE("two who send one back at once send it once, and nobody else waits for them") {
  Letters letters;
  letters.Insert("unreadable", "hello");
  absl::Notification begun, go_on;
  std::thread first([&] {
    CHECK(letters.store
              .SendBack(1, false,
                        [&](const DeadLetter&) {
                          begun.Notify();
                          go_on.WaitForNotification();
                          return absl::OkStatus();
                        })
              .ok());
  });
  begun.WaitForNotification();
  absl::Status second_status;
  std::thread second([&] {
    second_status = letters.store
                        .SendBack(1, false,
                                  [](const DeadLetter&) {
                                    FAIL("sent twice");
                                    return absl::OkStatus();
                                  })
                        .status();
  });
  // The outbox marks its copy, and those who go through all pass it by.
  CHECK(eventlog::MarkCopied(*letters.writer, {1}).ok());
  auto walk = letters.store.StartWalk(ReadBulk(store::v1::SendBackDeadLettersRequest())->filter);
  REQUIRE(walk.ok());
  const auto step = letters.store.SendBackNext(*walk, 10, [](const auto&) {
    FAIL("sent twice");
    return std::vector<absl::Status>();
  });
  REQUIRE(step.ok());
  CHECK(step->matched == 1);
  CHECK(step->done == 0);
  walk = letters.store.StartWalk(ReadBulk(store::v1::SendBackDeadLettersRequest())->filter);
  CHECK(letters.store.DropNext(*walk, 10, false)->done == 0);
  go_on.Notify();
  first.join();
  second.join();
  CHECK(ReasonOf(second_status) == "ALREADY_SENT_BACK");
  CHECK(letters.Count("times_sent_back = 1") == 1);
}

TEST_CASE("all are gone through oldest first, in steps, without those that come meanwhile") {
  Letters letters;
  for (int i = 1; i <= 7; ++i) letters.Insert("unreadable", Size(i), i % 2 == 0 ? "a.b" : "");
  Sizes sent;
  const auto send_all = [&](const std::vector<DeadLetter>& some) {
    std::vector<absl::Status> outcomes;
    for (const DeadLetter& letter : some) {
      sent.push_back(letter.body_size());
      letters.Insert("unreadable", Size(100), "a.b");
      outcomes.push_back(letter.body_size() == 4 ? absl::FailedPreconditionError("no queue")
                                                 : absl::OkStatus());
    }
    return outcomes;
  };
  store::v1::SendBackDeadLettersRequest request;
  auto walk = letters.store.StartWalk(ReadBulk(request)->filter);
  REQUIRE(walk.ok());
  while (!walk->end()) REQUIRE(letters.store.SendBackNext(*walk, 2, send_all).ok());
  CHECK(sent == Sizes{1, 2, 3, 4, 5, 6, 7});
  CHECK(letters.Count("state = 'sent_back'") == 6);
  CHECK(letters.Count("state = 'open'") == 8);

  request.mutable_filter()->set_event_type("a.*");
  walk = letters.store.StartWalk(ReadBulk(request)->filter);
  CHECK(letters.store.DropNext(*walk, 100, true)->matched == 8);
  CHECK(letters.Count("state = 'dropped'") == 0);
  walk = letters.store.StartWalk(ReadBulk(request)->filter);
  CHECK(letters.store.DropNext(*walk, 100, false)->done == 8);
}

TEST_CASE("steps end where the bodies are too many, and none is left out") {
  Letters letters;
  for (int i = 0; i < 5; ++i) letters.Insert("too_large", Size((9 << 20) + i));
  auto walk = letters.store.StartWalk(ReadBulk(store::v1::SendBackDeadLettersRequest())->filter);
  REQUIRE(walk.ok());
  Sizes seen;
  std::int64_t matched = 0;
  while (!walk->end()) {
    std::int64_t bytes = 0;
    const auto step = letters.store.LookAtNext(*walk, 100, [&](const DeadLetter& letter) {
      seen.push_back(letter.body_size() - (9 << 20));
      bytes += letter.body_size();
    });
    REQUIRE(step.ok());
    CHECK(bytes < 32 << 20);
    matched += step->matched;
  }
  CHECK(seen == Sizes{0, 1, 2, 3, 4});
  CHECK(matched == 5);
}

TEST_CASE("a message that was sent back and fails again is a dead letter of its own") {
  Letters letters;
  letters.Insert("unreadable", "hello", "", "e", "a.b", R"({"headers":{"k":"v"}})");
  DeadLetter letter = *letters.store.Get(1, DeadLetterStore::kMostBody);
  // What a consumer is given of it.
  const auto fails_again = [&letters](const DeadLetter& of) {
    const amqp::Publication publication = PublicationOf(of, std::nullopt);
    const auto carried =
        amqp::CarriedProperties::FromJson(publication.properties, publication.headers);
    REQUIRE(carried.ok());
    letters.Insert("unreadable", publication.body, "", publication.exchange,
                   publication.routing_key, amqp::PropertiesToJson(carried->properties()),
                   /*redelivered=*/true);
  };
  fails_again(letter);
  CHECK(letters.Count("true") == 2);
  fails_again(letter);  // the consumer died between commit and ack
  CHECK(letters.Count("true") == 2);
  letter.set_times_sent_back(1);
  fails_again(letter);  // sent back once more
  CHECK(letters.Count("true") == 3);
  fails_again(*letters.store.Get(2, DeadLetterStore::kMostBody));
  CHECK(letters.Count("true") == 4);
  CHECK(letters.Count("properties #>> '{headers,x-god33-dead-letter-id}' = '1'") == 2);
  CHECK(letters.Count("properties #>> '{headers,k}' = 'v'") == 4);
}

// A letter that came by this exchange and routing key.
DeadLetter Letter(const std::string& exchange, const std::string& key) {
  DeadLetter letter;
  letter.set_dead_letter_id(7);
  letter.set_exchange(exchange);
  letter.set_routing_key(key);
  letter.set_body("hello");
  letter.mutable_properties()->set_text(
      R"({"content_type":"text/plain","message_id":"m","delivery_mode":1})");
  return letter;
}

TEST_CASE("each one is published to where it came from, and what can't be says why") {
  const std::string exchange = UniqueName("exchange");
  const std::string queue = UniqueName("queue");
  const std::string missing = UniqueName("missing");
  auto connection = amqp::Connection::Open(TestBroker());
  REQUIRE(connection.ok());
  REQUIRE(amqp::DeclareExchange(**connection, exchange).ok());
  REQUIRE(
      amqp::DeclareQueue(**connection, {.name = queue, .bindings = {{exchange, "good.#"}}}).ok());

  DeadLetterSender sender(TestBroker());
  const EditedBody json{.body = "{\"a\":1}", .json = true};
  const std::vector<amqp::Publication> publications{
      PublicationOf(Letter(exchange, "good.a"), std::nullopt),
      PublicationOf(Letter(missing, "good.a"), std::nullopt),
      PublicationOf(Letter(exchange, "bad.a"), std::nullopt),
      PublicationOf(Letter(exchange, "good.b"), json),
      PublicationOf(Letter("", queue), EditedBody{.body = "bytes"})};
  for (int round = 0; round < 2; ++round) {
    const auto outcomes = sender.Send(publications);
    REQUIRE(outcomes.ok());
    CHECK((*outcomes)[0].ok());
    CHECK(ReasonOf((*outcomes)[1]) == "EXCHANGE_NOT_FOUND");
    CHECK(ReasonOf((*outcomes)[2]) == "UNROUTABLE");
    CHECK((*outcomes)[3].ok());
    CHECK((*outcomes)[4].ok());
    sender.Idle();
  }
  const auto consumer =
      amqp::Consumer::Start(*std::move(connection), queue, 100, std::make_shared<Wakeup>());
  REQUIRE(consumer.ok());
  std::map<std::string, amqp::Delivery> by_body;
  const std::int64_t deadline = MonotonicNanos() + 30'000'000'000;
  while (by_body.size() < 3 && MonotonicNanos() < deadline) {
    std::vector<amqp::Delivery> deliveries;
    REQUIRE((*consumer)->Receive(deliveries, 10, 1 << 20, absl::Seconds(1)).ok());
    for (amqp::Delivery& delivery : deliveries) {
      const std::string body = delivery.body;
      by_body.insert_or_assign(body, std::move(delivery));
    }
  }
  REQUIRE(by_body.size() == 3);
  CHECK(by_body.at("hello").properties ==
        R"({"content_type":"text/plain","headers":{"x-god33-dead-letter-id":"7",)"
        R"("x-god33-sent-back":"1"},"delivery_mode":2,"message_id":"m"})");
  CHECK(by_body.at("{\"a\":1}").content_type == "application/json");
  CHECK(by_body.at("bytes").content_type == "text/plain");
  CHECK(by_body.at("bytes").exchange.empty());
}

TEST_CASE("a broker that is away is unavailable") {
  amqp::Config nowhere = TestBroker();
  nowhere.url = "amqp://guest:guest@127.0.0.1:1/";
  DeadLetterSender sender(nowhere);
  const auto outcomes = sender.Send({PublicationOf(Letter("e", "a"), std::nullopt)});
  CHECK(absl::IsUnavailable(outcomes.status()));
  CHECK(ReasonOf(outcomes.status()) == "BROKER_UNAVAILABLE");
}

}  // namespace
}  // namespace god33::manager
