#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "pg/error.h"
#include "testing/tcp_proxy.h"
#include "tests/integration/months.h"
#include "tests/integration/reacting.h"
#include "wire/read.h"

namespace god33::reaction {
namespace {

using testing::kAccepted;
using testing::kRequested;
using testing::MakeEnvelope;
using testing::ReactingSet;
using testing::TcpProxy;
using testing::TestBroker;
using testing::UniqueName;
using testing::Until;
using testing::Worker;

std::vector<event::Envelope> Requests(int count) {
  std::vector<event::Envelope> requests;
  for (int i = 0; i < count; ++i) requests.push_back(MakeEnvelope(kRequested));
  return requests;
}

// Events of requests that were not handled exactly once: one task, one answer, behind its cause.
std::int64_t Wrong(const ReactingSet& set) {
  return set.Count(StrCat(R"sql((
    SELECT r.event_id, r.position,
      (SELECT count(*) FROM tasks AS t WHERE t.event_id = r.event_id) AS tasks,
      (SELECT count(*) FROM events AS a WHERE a.event_type = 'work.accepted'
         AND a.correlation_ids = ARRAY[r.event_id] AND a.position > r.position) AS answers
    FROM events AS r WHERE r.event_type = 'work.requested') AS each
    WHERE tasks <> 1 OR answers <> 1)sql"));
}

bool AwaitTasks(const ReactingSet& set, std::int64_t count) {
  return Until([&] { return set.Count("tasks") >= count; });
}

TEST_CASE("two replicas handle each event once, however often it is delivered") {
  ReactingSet set;
  set.DeclareQueue();
  const auto requests = Requests(60);
  for (int round = 0; round < 3; ++round) {
    for (const event::Envelope& request : requests) set.Publish(request);
  }
  Worker first(set), second(set);
  first.Start();
  second.Start();
  CHECK(Until([&] { return set.Waiting() == 0 && set.Count("tasks") == 60; }));
  CHECK(first.AwaitHealth("rabbitmq", "serving"));
  CHECK(first.AwaitHealth("postgresql", "serving"));
  CHECK(first.AwaitHealth("reactions", "serving"));
  first.Stop();
  second.Stop();
  CHECK(Wrong(set) == 0);
  CHECK(set.Count("events") == 120);
  CHECK(first.committed + second.committed == 60);
  CHECK(first.metrics().handled.Value() + second.metrics().handled.Value() == 60);
  CHECK(first.metrics().failed.Value() + second.metrics().failed.Value() == 0);
}

TEST_CASE(
    "a cause that is not stored yet is stored before its effect, as the manager would store it") {
  ReactingSet set;
  Worker worker(set);
  std::optional<std::int64_t> seen = 0;
  worker.on_react = [&](auto&, const Incoming& incoming) {
    seen = incoming.position;
    return absl::OkStatus();
  };
  worker.Start();
  REQUIRE(worker.AwaitHealth("rabbitmq", "serving"));
  // CloudEvents without a time: whoever stores it gives it one.
  const std::string body =
      R"({"specversion":"1.0","id":"8f14e45f-ceea-467f-9575-1a2b3c4d5e6f","type":"work.requested",)"
      R"("source":"app/host","data":{"n":1.50},"extra":"kept"})";
  set.PublishBody("work.to.do", body);
  REQUIRE(AwaitTasks(set, 1));
  worker.Stop();
  CHECK_FALSE(seen);
  CHECK(set.Count("events WHERE position = 1 AND event_type = 'work.requested' AND NOT appended "
                  "AND routing_key = 'work.to.do' AND payload::text = '{\"n\":1.50}'") == 1);
  CHECK(set.Count("events WHERE position = 2 AND event_type = 'work.accepted' AND appended "
                  "AND routing_key IS NULL") == 1);
  CHECK(set.Count("event_edges WHERE parent_position = 1 AND child_position = 2") == 1);
  CHECK(set.Count("event_orphans") == 0);

  const auto copy =
      wire::ReadMessage({.body = body, .received_at = SystemClock().Now() + absl::Hours(1)});
  REQUIRE(copy.ok());
  CHECK(set.Store({*copy}).duplicates == 1);
}

TEST_CASE(
    "of a cause that is stored the handler is told the position, and it is not stored again") {
  ReactingSet set;
  set.DeclareQueue();
  const event::Envelope request = MakeEnvelope(kRequested);
  set.Store({MakeEnvelope("a.b"), request});
  set.Publish(request);
  Worker worker(set);
  worker.Start();
  REQUIRE(AwaitTasks(set, 1));
  worker.Stop();
  CHECK(set.Count("tasks WHERE position = 2") == 1);
  CHECK(set.Count("events") == 3);
}

TEST_CASE("an event whose id is taken by other content is acked and not reacted to") {
  ReactingSet set;
  set.DeclareQueue();
  event::Envelope request = MakeEnvelope(kRequested);
  set.Store({request});
  request.payload = R"({"other":true})";
  set.Publish(request);
  set.Publish(MakeEnvelope(kRequested));
  Worker worker(set);
  worker.options.sweep_every = absl::Hours(1);
  worker.Start();
  REQUIRE(AwaitTasks(set, 1));
  CHECK(Until([&] { return set.Waiting() == 0; }));
  worker.Stop();
  CHECK(worker.metrics().id_conflicts.Value() == 1);
  CHECK(worker.tries == 1);
  CHECK(set.Count(StrCat("reactions WHERE event_id = '", request.id.ToString(), "'")) == 0);
}

TEST_CASE(
    "what can't be read, is too large, of another type or of no concern is acked and left alone") {
  ReactingSet set;
  set.DeclareQueue();
  set.PublishBody("work.requested", "{not json");
  set.PublishBody("work.requested", R"({"event_id":"no uuid","event_type":"work.requested"})");
  set.PublishBody("work.requested", "");
  set.Publish(MakeEnvelope("work.other"));
  set.Publish(MakeEnvelope(kRequested, R"({"to":"others"})"));
  set.Publish(MakeEnvelope(kRequested, StrCat("{\"x\":\"", std::string(5000, 'x'), "\"}")));
  set.Publish(MakeEnvelope(kRequested));
  Worker worker(set);
  worker.options.max_event_bytes = 4000;
  worker.Start();
  REQUIRE(AwaitTasks(set, 1));
  worker.Stop();
  CHECK(set.Waiting() == 0);
  CHECK(worker.metrics().left.Value() == 6);
  CHECK(set.Count("events") == 2);
  CHECK(set.Count("reaction_failures") == 0);
}

TEST_CASE(
    "a known type whose payload breaks its schema comes with its errors, and is stored with them") {
  ReactingSet set;
  Worker worker(set);
  const std::string type = "bmad.workflow.completed";
  worker.options.event_types = {type};
  worker.options.queues[0].bindings = {{set.exchange, type}};
  std::vector<std::string> errors;
  worker.on_react = [&](auto&, const Incoming& incoming) {
    errors = incoming.event.payload_errors;
    return absl::OkStatus();
  };
  worker.Start();
  REQUIRE(worker.AwaitHealth("rabbitmq", "serving"));
  set.Publish(MakeEnvelope(type, R"({"workflow_id":7})"));
  REQUIRE(AwaitTasks(set, 1));
  worker.Stop();
  CHECK(errors.size() == 1);
  CHECK(set.Count("events WHERE cardinality(payload_errors) = 1") == 1);
}

TEST_CASE("a broker that goes away between commit and ack delivers a duplicate") {
  ReactingSet set;
  TcpProxy broker(TestBroker().url);
  Worker worker(set);
  worker.options.broker.url = broker.url();
  worker.on_committed = [&](const auto&) { broker.Cut(); };
  worker.Start();
  REQUIRE(worker.AwaitHealth("rabbitmq", "serving"));
  for (const event::Envelope& request : Requests(3)) set.Publish(request);
  REQUIRE(AwaitTasks(set, 3));
  CHECK(Until([&] { return worker.metrics().duplicates.Value() >= 1 && set.Waiting() == 0; }));
  worker.Stop();
  CHECK(Wrong(set) == 0);
  CHECK(worker.committed == 3);
}

TEST_CASE(
    "a commit whose answer is lost has happened: the reaction is not made twice, and told of") {
  ReactingSet set;
  TcpProxy database(set.Database().url);
  Worker worker(set);
  worker.options.database.url = database.url();
  worker.options.database.call_timeout = absl::Milliseconds(500);
  worker.options.sweep_every = absl::Hours(1);
  worker.on_react = [&](auto&, const auto&) {
    if (worker.tries == 1) database.SwallowAnswersTo("COMMIT");
    return absl::OkStatus();
  };
  worker.Start();
  REQUIRE(worker.AwaitHealth("rabbitmq", "serving"));
  REQUIRE(worker.AwaitHealth("postgresql", "serving"));
  set.Publish(MakeEnvelope(kRequested));
  REQUIRE(database.AwaitSwallowed(absl::Seconds(20)));
  REQUIRE(worker.AwaitHealth("postgresql", "no answer"));
  database.Cut();
  CHECK(Until([&] { return worker.committed == 1; }));
  worker.Stop();
  CHECK(worker.tries == 1);
  CHECK(worker.metrics().handled.Value() == 1);
  CHECK(Wrong(set) == 0);
  CHECK(set.Waiting() == 0);
}

TEST_CASE(
    "a database that goes away in the middle leaves nothing behind, and the message is kept") {
  ReactingSet set;
  TcpProxy database(set.Database().url);
  Worker worker(set);
  worker.options.database.url = database.url();
  worker.on_react = [&](auto&, const auto&) {
    if (worker.tries == 1) database.Cut();
    return absl::OkStatus();
  };
  worker.Start();
  REQUIRE(worker.AwaitHealth("rabbitmq", "serving"));
  set.Publish(MakeEnvelope(kRequested));
  REQUIRE(AwaitTasks(set, 1));
  worker.Stop();
  CHECK(worker.tries == 2);
  CHECK(Wrong(set) == 0);
  CHECK(set.Count("reaction_failures") == 0);
}

TEST_CASE("a process that is killed at any point leaves each event to be handled once") {
  ReactingSet set;
  set.DeclareQueue();
  const auto requests = Requests(150);
  for (const event::Envelope& request : requests) set.Publish(request);
  for (int round = 1; round <= 4; ++round) {
    // A child has none of the parent's threads; there are none that it would need.
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      Worker worker(set);
      worker.Start();
      Stop().WaitFor(absl::InfiniteDuration());
      _exit(0);
    }
    CHECK(AwaitTasks(set, 30 * round));
    kill(child, SIGKILL);
    REQUIRE(waitpid(child, nullptr, 0) == child);
  }
  Worker worker(set);
  worker.Start();
  REQUIRE(AwaitTasks(set, 150));
  CHECK(Until([&] { return set.Waiting() == 0; }));
  worker.Stop();
  CHECK(Wrong(set) == 0);
  CHECK(set.Count("tasks") == 150);
}

TEST_CASE("while the database is away health says so, and messages wait in the queue") {
  ReactingSet set;
  Worker worker(set);
  worker.Start();
  REQUIRE(worker.AwaitHealth("rabbitmq", "serving"));
  REQUIRE(worker.AwaitHealth("postgresql", "serving"));
  pg::Config elsewhere = set.database.Admin();
  const std::string name = elsewhere.url.substr(elsewhere.url.rfind('/') + 1);
  elsewhere.url.replace(elsewhere.url.size() - name.size(), name.size(), "postgres");
  const auto admin = testing::TestDatabase::Connect(elsewhere);
  REQUIRE(admin->Execute(StrCat("ALTER DATABASE ", name, " ALLOW_CONNECTIONS false")).ok());
  REQUIRE(
      admin
          ->Execute(StrCat("DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity "
                           "WHERE datname = '",
                           name, "'; END $$"))
          .ok());
  for (const event::Envelope& request : Requests(5)) set.Publish(request);
  CHECK(worker.AwaitHealth("postgresql", "postgresql: "));
  CHECK(worker.metrics().handled.Value() == 0);
  REQUIRE(admin->Execute(StrCat("ALTER DATABASE ", name, " ALLOW_CONNECTIONS true")).ok());
  REQUIRE(AwaitTasks(set, 5));
  CHECK(worker.AwaitHealth("postgresql", "serving"));
  worker.Stop();
  CHECK(Wrong(set) == 0);
  CHECK(worker.metrics().failed.Value() == 0);
}

TEST_CASE("tables that are not migrated yet are waited for: no event counts as failed") {
  ReactingSet set;
  set.MustExecute("ALTER TABLE tasks RENAME TO tasks_later");
  Worker worker(set);
  worker.Start();
  REQUIRE(worker.AwaitHealth("rabbitmq", "serving"));
  set.Publish(MakeEnvelope(kRequested));
  CHECK(worker.AwaitHealth("postgresql", "\"tasks\" does not exist"));
  set.MustExecute("ALTER TABLE tasks_later RENAME TO tasks");
  REQUIRE(AwaitTasks(set, 1));
  worker.Stop();
  CHECK(set.Count("reaction_failures") == 0);
}

TEST_CASE(
    "an event that the handler can't handle is set aside after three tries, and may be tried "
    "again") {
  ReactingSet set;
  set.DeclareQueue();
  std::atomic<bool> mended = false;
  const auto poison = MakeEnvelope(kRequested, R"({"poison":1})");
  const auto refuse = [&](pg::Connection&, const Incoming& incoming) {
    if (mended || incoming.event.envelope.payload == "{}") return absl::OkStatus();
    return MakeError(absl::StatusCode::kFailedPrecondition, "TOO_BAD", "this one is poison");
  };
  set.Publish(poison);
  set.Publish(MakeEnvelope(kRequested));
  {
    Worker worker(set);
    worker.on_react = refuse;
    worker.Start();
    REQUIRE(AwaitTasks(set, 1));
    CHECK(worker.AwaitHealth("reactions",
                             "1 events could not be handled, the newest: work.requested"));
    CHECK(worker.health("reactions").find("this one is poison") != std::string::npos);
    CHECK(worker.metrics().failed.Value() == 1);
    CHECK(worker.metrics().retries.Value() == 3);
    CHECK(worker.metrics().failures.Value() == 1);
    CHECK(set.Count("reaction_failures WHERE service = 'worker' AND reason = 'TOO_BAD' "
                    "AND detail = 'this one is poison' AND position IS NULL") == 1);
    // Nothing of it was stored; the manager stores it. Neither another delivery nor the sweep tries it.
    CHECK(set.Count("events WHERE payload::text LIKE '%poison%'") == 0);
    set.Store({poison});
    set.Publish(poison);
    CHECK(Until([&] { return worker.metrics().duplicates.Value() == 1; }));
    CHECK(Until([&] {
      return set.Count(
                 "cursors AS c JOIN event_ids AS i ON i.position <= c.position "
                 "WHERE name = 'reaction worker' AND event_id = '" +
                 poison.id.ToString() + "'") == 1;
    }));
    CHECK(worker.tries == 4);
    worker.RetryFailures();
    CHECK(Until([&] { return worker.tries == 7; }));
    CHECK(Until([&] { return set.Count("reaction_failures WHERE position IS NOT NULL") == 1; }));
  }
  mended = true;
  Worker worker(set);
  worker.on_react = refuse;
  worker.Start();
  REQUIRE(AwaitTasks(set, 2));
  CHECK(worker.AwaitHealth("reactions", "serving"));
  CHECK(set.Count("reaction_failures") == 0);
  worker.Stop();
  CHECK(Wrong(set) == 0);
  CHECK(worker.metrics().failures.Value() == 0);
}

TEST_CASE("a statement that fails for the event's content sets the event aside") {
  ReactingSet set;
  set.MustExecute("ALTER TABLE events ADD CHECK (payload::text <> '{\"refused\":1}')");
  Worker worker(set);
  worker.Start();
  REQUIRE(worker.AwaitHealth("rabbitmq", "serving"));
  set.Publish(MakeEnvelope(kRequested, R"({"refused":1})"));
  set.Publish(MakeEnvelope(kRequested));
  REQUIRE(AwaitTasks(set, 1));
  CHECK(
      Until([&] { return set.Count("reaction_failures WHERE reason = 'INVALID_ARGUMENT'") == 1; }));
  worker.Stop();
  CHECK(set.Count("tasks") == 1);
}

TEST_CASE("an event over which the connection is lost each time is set aside") {
  ReactingSet set;
  Worker worker(set);
  worker.options.sweep_every = absl::Hours(1);
  worker.on_react = [](pg::Connection& connection, const Incoming& incoming) {
    if (incoming.event.envelope.payload == "{}") return absl::OkStatus();
    return connection.Execute("SELECT pg_terminate_backend(pg_backend_pid())");
  };
  worker.Start();
  REQUIRE(worker.AwaitHealth("rabbitmq", "serving"));
  set.Publish(MakeEnvelope(kRequested, R"({"poison":1})"));
  set.Publish(MakeEnvelope(kRequested));
  REQUIRE(AwaitTasks(set, 1));
  CHECK(set.Count("reaction_failures WHERE reason = 'UNAVAILABLE'") == 1);
  CHECK(worker.tries == 7);
  CHECK(worker.AwaitHealth("postgresql", "serving"));
}

TEST_CASE("a service whose queue was lost catches up from the log") {
  ReactingSet set;
  Worker first(set);
  first.Start();
  REQUIRE(first.AwaitHealth("rabbitmq", "serving"));
  set.Publish(MakeEnvelope(kRequested));
  REQUIRE(AwaitTasks(set, 1));
  first.Stop();
  set.DeleteQueue();
  std::vector<event::Envelope> missed = Requests(3);
  missed.push_back(MakeEnvelope("work.other"));
  missed.push_back(MakeEnvelope(kRequested, R"({"to":"others"})"));
  set.Store(missed);
  Worker second(set);
  second.Start();
  REQUIRE(AwaitTasks(set, 4));
  CHECK(Until([&] { return set.Count("reactions") == 0; }));
  CHECK(Until([&] {
    return set.Number("SELECT position FROM cursors WHERE name = 'reaction worker'") ==
           set.Number("SELECT max(position) FROM event_ids");
  }));
  CHECK(set.Waiting() == 0);
  second.Stop();
  CHECK(second.metrics().caught_up.Value() == 3);
  CHECK(second.metrics().sweep_lag.Value() == 0);
  CHECK(static_cast<std::int64_t>(second.metrics().cursor_position.Value()) ==
        set.Number("SELECT position FROM cursors WHERE name = 'reaction worker'"));
  CHECK(set.Count("events WHERE payload::text LIKE '%others%'") == 1);
  CHECK(set.Count("tasks") == 4);
  // What comes late by the queue is known by the cursor.
  set.DeclareQueue();
  set.Publish(missed[0]);
  Worker third(set);
  third.Start();
  CHECK(Until([&] { return third.metrics().duplicates.Value() == 1; }));
  third.Stop();
  CHECK(set.Count("tasks") == 4);
}

TEST_CASE("queue and sweep bring the same events at once, and each is handled once") {
  ReactingSet set;
  set.DeclareQueue();
  Worker first(set), second(set);
  for (Worker* worker : {&first, &second}) {
    worker->options.sweep_every = absl::Milliseconds(10);
    worker->options.settle = absl::ZeroDuration();
    worker->Start();
  }
  const auto requests = Requests(200);
  for (std::size_t i = 0; i < requests.size(); i += 10) {
    const std::vector<event::Envelope> some(requests.begin() + static_cast<std::ptrdiff_t>(i),
                                            requests.begin() + static_cast<std::ptrdiff_t>(i) + 10);
    if (i % 20 == 0) set.Store(some);
    for (const event::Envelope& request : some) set.Publish(request);
  }
  REQUIRE(AwaitTasks(set, 200));
  CHECK(Until([&] { return set.Waiting() == 0 && set.Count("reactions") == 0; }));
  first.Stop();
  second.Stop();
  CHECK(Wrong(set) == 0);
  CHECK(set.Count("tasks") == 200);
  CHECK(set.Count("reaction_failures") == 0);
}

TEST_CASE(
    "a new service begins at the log's head, but takes what waits in its queue, however old") {
  ReactingSet set;
  set.DeclareQueue();
  const auto old = Requests(3);
  set.Store(old);
  set.Publish(old[1]);
  {
    Worker worker(set);
    worker.Start();
    REQUIRE(AwaitTasks(set, 1));
    set.Store(Requests(1));
    REQUIRE(AwaitTasks(set, 2));
    CHECK(Until([&] { return set.Count("reactions") == 1; }));
  }
  CHECK(set.Number("SELECT position FROM reaction_origins WHERE service = 'worker'") == 3);
  set.Publish(old[1]);
  Worker worker(set);
  worker.options.from_beginning = true;  // too late for that
  worker.Start();
  CHECK(Until([&] { return worker.metrics().duplicates.Value() == 1; }));
  worker.Stop();
  CHECK(set.Count("tasks") == 2);
  CHECK(set.Count(StrCat("tasks WHERE event_id = '", old[1].id.ToString(), "'")) == 1);
}

TEST_CASE("a new service that asks for it handles the whole log, page by page and month by month") {
  ReactingSet set;
  std::vector<event::Envelope> log;
  for (int i = 0; i < 1300; ++i) {
    log.push_back(MakeEnvelope(i % 2 == 0 ? kRequested : i % 3 == 0 ? "work.also" : "a.b"));
  }
  set.Store(log);
  testing::SpreadOverMonths(set.database, {400, 900, 1300});
  Worker worker(set);
  worker.options.from_beginning = true;
  worker.options.event_types = {kRequested, "work.also", "work.never"};
  worker.Start();
  const std::int64_t wanted = 650 + 217;
  REQUIRE(AwaitTasks(set, wanted));
  CHECK(Until([&] { return set.Count("reactions") == 0; }));
  worker.Stop();
  CHECK(set.Count("tasks") == wanted);
  CHECK(Wrong(set) == 0);
  CHECK(set.Number(
            "SELECT count(*) FROM (SELECT position < lag(position) OVER () AS back FROM tasks) "
            "AS t WHERE back") == 0);
}

TEST_CASE(
    "a queue that exists with other arguments is told of; the others and the log are followed") {
  ReactingSet set;
  set.DeclareQueue();
  Worker worker(set);
  amqp::Queue other = set.Queue();
  other.name = UniqueName("other");
  {
    const auto connection = ReactingSet::Connect();
    REQUIRE(amqp::DeclareQueue(*connection, {.name = other.name}).ok());
  }
  worker.options.queues.push_back(other);
  worker.Start();
  CHECK(worker.AwaitHealth("rabbitmq", "The queue exists with other arguments"));
  CHECK(Until([&] {
    const std::string detail = worker.health("rabbitmq");
    return detail.find(other.name) == 0 && detail.find(set.queue) == std::string::npos;
  }));
  set.Publish(MakeEnvelope(kRequested));
  CHECK(AwaitTasks(set, 1));
  set.Store(Requests(1));
  CHECK(AwaitTasks(set, 2));
}

TEST_CASE("a writer that stops while it holds the log delays a reaction, and is ended") {
  ReactingSet set;
  const auto stopped = testing::TestDatabase::Connect(set.database.Writer());
  Worker worker(set);
  worker.Start();
  REQUIRE(worker.AwaitHealth("rabbitmq", "serving"));
  REQUIRE(stopped->Execute("SET idle_in_transaction_session_timeout = 0; BEGIN").ok());
  REQUIRE(eventlog::LockLog(*stopped).ok());
  set.Publish(MakeEnvelope(kRequested));
  CHECK(AwaitTasks(set, 1));
  worker.Stop();
  CHECK(Wrong(set) == 0);
  CHECK(worker.health("postgresql") == "serving");
  CHECK(set.Count("reaction_failures") == 0);
}

TEST_CASE("a handler that swallows a failed statement leaves nothing half done") {
  ReactingSet set;
  Worker worker(set);
  worker.on_react = [&](pg::Connection& connection, const auto&) {
    if (worker.tries == 1) connection.Execute("SELECT 1/0").IgnoreError();
    return absl::OkStatus();
  };
  worker.Start();
  REQUIRE(worker.AwaitHealth("rabbitmq", "serving"));
  set.Publish(MakeEnvelope(kRequested));
  CHECK(AwaitTasks(set, 1));
  worker.Stop();
  CHECK(worker.tries == 2);
  CHECK(Wrong(set) == 0);
}

}  // namespace
}  // namespace god33::reaction
