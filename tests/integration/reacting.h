#pragma once

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "amqp/publisher.h"
#include "amqp/topology.h"
#include "base/stop.h"
#include "event/write.h"
#include "reaction/event_factory.h"
#include "reaction/reactor.h"
#include "testing/servers.h"
#include "tests/integration/events.h"

// A service that reacts: it has a table of tasks, and answers each request with an event.

namespace god33::testing {

inline constexpr char kRequested[] = "work.requested";
inline constexpr char kAccepted[] = "work.accepted";

// Waits for at most 30 s.
inline bool Until(const std::function<bool()>& condition) {
  const std::int64_t deadline = MonotonicNanos() + 30'000'000'000;
  const Stop never;
  while (!condition()) {
    if (MonotonicNanos() > deadline) return false;
    never.WaitFor(absl::Milliseconds(10));
  }
  return true;
}

// The service's tables, in a database of their own, and its bus.
class ReactingSet {
 public:
  ReactingSet() {
    MustExecute(
        "CREATE TABLE tasks (event_id uuid NOT NULL, position bigint);"
        "GRANT SELECT, INSERT, UPDATE ON tasks TO god33_writer");
  }

  void MustExecute(const std::string& sql) {
    const absl::Status status = TestDatabase::Connect(database.Admin())->Execute(sql);
    INFO(status);
    REQUIRE(status.ok());
  }

  std::int64_t Number(const std::string& sql) const {
    const std::string query = StrCat("SELECT (", sql, ")::bigint");
    const pg::Statement statement = {"number", query.c_str()};
    const auto rows = TestDatabase::Connect(database.Admin())->Query(statement);
    REQUIRE(rows.ok());
    return rows->Int8(0, 0);
  }

  std::int64_t Count(const std::string& from) const {
    return Number(StrCat("SELECT count(*) FROM ", from));
  }

  pg::Config Database() const {
    pg::Config config = database.Writer();
    config.settings = reaction::DatabaseSettings();
    return config;
  }

  amqp::Queue Queue() const {
    return {.name = queue,
            .arguments = {{"x-queue-type", "quorum"}},
            .bindings = {{exchange, "work.#"}}};
  }

  void DeclareQueue() {
    const auto connection = Connect();
    REQUIRE(amqp::DeclareExchange(*connection, exchange).ok());
    REQUIRE(amqp::DeclareQueue(*connection, Queue()).ok());
  }

  void DeleteQueue() {
    const auto connection = Connect();
    amqp_queue_delete(connection->state(), amqp::Connection::kChannel, amqp::Bytes(queue), 0, 0);
    REQUIRE(connection->LastReply("deleting a queue").ok());
  }

  // -1: there is none.
  int Waiting() {
    const auto connection = Connect();
    const amqp_queue_declare_ok_t* declared =
        amqp_queue_declare(connection->state(), amqp::Connection::kChannel, amqp::Bytes(queue),
                           /*passive=*/1, 1, 0, 0, amqp_empty_table);
    return declared == nullptr ? -1 : static_cast<int>(declared->message_count);
  }

  void PublishBody(const std::string& routing_key, const std::string& body) {
    if (!publisher_) {
      auto publisher = amqp::Publisher::Start(Connect());
      REQUIRE(publisher.ok());
      publisher_ = *std::move(publisher);
    }
    const auto outcomes = publisher_->Publish(
        {{.exchange = exchange, .routing_key = routing_key, .body = body}}, absl::Seconds(10));
    REQUIRE(outcomes.ok());
    REQUIRE(outcomes->front().ok());
  }

  void Publish(const event::Envelope& envelope) {
    PublishBody(envelope.type, event::WriteJson(envelope));
  }

  // As the manager does with what comes over the bus.
  eventlog::Stored Store(const std::vector<event::Envelope>& envelopes) {
    const auto connection = TestDatabase::Connect(database.Writer());
    auto stored = AppendAll(*connection, envelopes);
    REQUIRE(stored.ok());
    return *std::move(stored);
  }

  static std::unique_ptr<amqp::Connection> Connect() {
    auto connection = amqp::Connection::Open(TestBroker());
    REQUIRE(connection.ok());
    return *std::move(connection);
  }

  TestDatabase database;
  const std::string exchange = UniqueName("exchange");
  const std::string queue = UniqueName("queue");

 private:
  std::unique_ptr<amqp::Publisher> publisher_;
};

// One replica of the service. The tables don't forbid that a task is made twice: the reactor does.
class Worker final : public reaction::Handler {
 public:
  using Hook = std::function<absl::Status(pg::Connection& connection, const reaction::Incoming&)>;

  explicit Worker(const ReactingSet& set) {
    options = {.service = "worker",
               .holder = UniqueName("holder"),
               .database = set.Database(),
               .broker = TestBroker(),
               .exchange = set.exchange,
               .queues = {set.Queue()},
               .event_types = {kRequested},
               .sweep_every = absl::Milliseconds(200),
               .settle = absl::Milliseconds(20)};
  }
  ~Worker() override { Stop(); }

  void Start() {
    reactor_ = std::make_unique<reaction::Reactor>(
        options, *this, registry_, clock_, *metrics_,
        [this](const std::string& component, bool serving, const std::string& detail) {
          absl::MutexLock lock(&mutex_);
          health_[component] = serving ? "serving" : detail;
        });
  }

  void Stop() { reactor_.reset(); }
  void RetryFailures() { reactor_->RetryFailures(); }

  std::string health(const std::string& component) {
    absl::MutexLock lock(&mutex_);
    return health_[component];
  }

  bool AwaitHealth(const std::string& component, const std::string& part) {
    return Until([&] { return health(component).find(part) != std::string::npos; });
  }

  reaction::Metrics& metrics() { return *metrics_; }

  bool Concerns(const event::Envelope& envelope) const override {
    return envelope.payload.find("\"to\":\"others\"") == std::string::npos;
  }

  absl::StatusOr<sequence::Unit> React(pg::Connection& connection,
                                       const reaction::Incoming& incoming) override {
    if (inside_.exchange(true)) return absl::InternalError("two reactions at a time");
    auto unit = Work(connection, incoming);
    inside_ = false;
    return unit;
  }

  void Committed(const reaction::Incoming& incoming) override {
    ++committed;
    if (on_committed) on_committed(incoming);
  }

  reaction::Options options;
  Hook on_react;  // inside the transaction, after its own work
  std::function<void(const reaction::Incoming&)> on_committed;
  std::atomic<int> tries = 0;
  std::atomic<int> committed = 0;

 private:
  absl::StatusOr<sequence::Unit> Work(pg::Connection& connection,
                                      const reaction::Incoming& incoming) {
    ++tries;
    constexpr pg::Statement kInsert = {"insert_task",
                                       "INSERT INTO tasks VALUES ($1::uuid, $2::bigint)"};
    pg::Params params;
    params.Id(incoming.event.envelope.id);
    if (incoming.position) {
      params.Int8(*incoming.position);
    } else {
      params.Null();
    }
    const auto inserted = connection.Query(kInsert, params);
    if (!inserted.ok()) return inserted.status();
    auto accepted = factory_.Make(
        {.type = kAccepted, .payload = "{}", .parents = {incoming.event.envelope.id}});
    if (!accepted.ok()) return accepted.status();
    if (on_react) {
      if (absl::Status status = on_react(connection, incoming); !status.ok()) return status;
    }
    sequence::Unit unit;
    unit.events.push_back(*std::move(accepted));
    return unit;
  }

  SystemClock clock_;
  TimeOrderedIds ids_{clock_};
  wire::PayloadRegistry registry_;
  reaction::EventFactory factory_{"worker", "test", registry_, clock_, ids_};
  prometheus::Registry prometheus_;
  std::unique_ptr<reaction::Metrics> metrics_ = std::make_unique<reaction::Metrics>(prometheus_);
  absl::Mutex mutex_;
  std::map<std::string, std::string> health_;
  std::atomic<bool> inside_ = false;
  std::unique_ptr<reaction::Reactor> reactor_;
};

}  // namespace god33::testing
