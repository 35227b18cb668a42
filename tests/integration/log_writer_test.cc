#include "services/event-store-manager/log_writer.h"

#include <libpq-fe.h>

#include <catch2/catch.hpp>

#include "absl/synchronization/notification.h"
#include "testing/servers.h"
#include "testing/tcp_proxy.h"
#include "tests/integration/events.h"

namespace god33::manager {
namespace {

using sequence::Outcome;
using testing::MakeEnvelope;
using testing::MakeUnit;
using testing::TcpProxy;
using testing::TestDatabase;

// A writer, and what it told of each submission.
class Writing {
 public:
  explicit Writing(const TestDatabase& database) : Writing(database.Writer()) {}

  explicit Writing(const pg::Config& database)
      : writer_(std::make_unique<LogWriter>(LogWriter::Options{.database = database}, clock_,
                                            metrics_, health_)) {}

  LogWriter& writer() { return *writer_; }

  Submission Message(const event::Envelope& envelope, bool redelivered = false) {
    Submission submission = Append(envelope);
    submission.unit.events[0].appended = false;
    submission.origin = eventlog::Origin{.exchange = "e",
                                         .routing_key = envelope.type,
                                         .properties = "{}",
                                         .body = "{}",
                                         .redelivered = redelivered};
    return submission;
  }

  Submission Append(const event::Envelope& envelope) {
    Submission submission;
    submission.unit = MakeUnit({envelope});
    submission.received_nanos = MonotonicNanos();
    submission.done = [this](absl::StatusOr<Outcome> outcome) {
      absl::MutexLock lock(&mutex_);
      outcomes_.push_back(std::move(outcome));
    };
    return submission;
  }

  // Waits until `count` submissions were told, at most 30 s.
  std::vector<absl::StatusOr<Outcome>> Wait(std::size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count] {
      mutex_.AssertHeld();
      return outcomes_.size() >= count;
    };
    REQUIRE(mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(30)));
    return outcomes_;
  }

  void Stop() { writer_.reset(); }
  double breaker() { return metrics_.breaker_open.Value(); }
  double full() { return metrics_.database_full.Value(); }
  double queued() { return metrics_.queued_events.Value(); }
  std::string health() { return health_.ToJson(); }

 private:
  SystemClock clock_;
  prometheus::Registry registry_;
  Metrics metrics_{registry_};
  rpc::Health health_;
  absl::Mutex mutex_;
  std::vector<absl::StatusOr<Outcome>> outcomes_;
  std::unique_ptr<LogWriter> writer_;
};

std::int64_t Count(const TestDatabase& database, const std::string& from) {
  const std::string sql = StrCat("SELECT count(*) FROM ", from);
  const pg::Statement statement = {"count", sql.c_str()};
  return TestDatabase::Connect(database.Admin())->Query(statement)->Int8(0, 0);
}

void ForbidPoison(const TestDatabase& database) {
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute("ALTER TABLE events ADD CHECK (event_type <> 'poison.event')")
              .ok());
}

TEST_CASE("messages are stored in the order they were submitted") {
  TestDatabase database;
  Writing writing(database);
  for (int i = 0; i < 500; ++i) {
    writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.b", StrCat("{\"i\":", i, "}"))));
  }
  writing.Wait(500);
  CHECK(Count(database, "events WHERE (payload->>'i')::int = position - 1") == 500);
}

TEST_CASE(
    "a message that can't be stored is dead after three attempts; its neighbours are stored") {
  TestDatabase database;
  ForbidPoison(database);
  Writing writing(database);
  for (int i = 0; i < 100; ++i) {
    writing.writer().SubmitMessage(
        writing.Message(MakeEnvelope(i % 25 == 7 ? "poison.event" : "a.good")));
  }
  for (const auto& outcome : writing.Wait(100)) CHECK(outcome.ok());
  CHECK(Count(database, "events") == 96);
  CHECK(Count(database, "dead_letters WHERE reason = 'store_failed' AND attempts = 3") == 4);
  CHECK(Count(database, "(SELECT max(position) AS last FROM events) AS t WHERE last = 96") == 1);
}

TEST_CASE("an append that can't be stored is refused; its neighbours are stored") {
  TestDatabase database;
  ForbidPoison(database);
  Writing writing(database);
  REQUIRE(writing.writer().SubmitAppend(writing.Append(MakeEnvelope("a.good"))).ok());
  REQUIRE(writing.writer().SubmitAppend(writing.Append(MakeEnvelope("poison.event"))).ok());
  REQUIRE(writing.writer().SubmitAppend(writing.Append(MakeEnvelope("a.good"))).ok());
  const auto outcomes = writing.Wait(3);
  CHECK(std::count_if(outcomes.begin(), outcomes.end(),
                      [](const auto& outcome) { return outcome.ok(); }) == 2);
  CHECK(Count(database, "events") == 2);
  CHECK(Count(database, "dead_letters") == 0);
}

TEST_CASE(
    "the writer reads no table as a whole, though its plans were made while they were empty") {
  TestDatabase database;
  Writing writing(database);
  event::Envelope envelope =
      MakeEnvelope("a.b", R"({"workflow_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff"})");
  for (std::size_t i = 0; i < 30; ++i) {
    const Uuid parent = envelope.id;
    envelope = MakeEnvelope(envelope.type, envelope.payload);
    envelope.parents = {parent};
    writing.writer().SubmitMessage(writing.Message(envelope, /*redelivered=*/i % 2 == 1));
    writing.Wait(i + 1);
  }
  writing.Stop();
  // A server process tells its figures when it ends, which is after the connection's end.
  const std::string figures =
      "pg_stat_user_tables WHERE relname IN ('event_ids', 'memberships', 'event_orphans', "
      "'workflow_projects')";
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute(
                  StrCat("SET statement_timeout = '20s'; DO $$ BEGIN WHILE (SELECT count(*) FROM ",
                         figures, " AND idx_scan > 0) < 4 LOOP PERFORM pg_sleep(0.01); ",
                         "PERFORM pg_stat_clear_snapshot(); END LOOP; END $$"))
              .ok());
  CHECK(Count(database, figures + " AND seq_scan > 0") == 0);
}

TEST_CASE("an id conflict among messages is a dead letter, the first event stays") {
  TestDatabase database;
  Writing writing(database);
  const event::Envelope first = MakeEnvelope("a.b", "{\"n\":1}");
  event::Envelope second = first;
  second.payload = "{\"n\":2}";
  writing.writer().SubmitMessage(writing.Message(first));
  writing.writer().SubmitMessage(writing.Message(second));
  writing.Wait(2);
  CHECK(Count(database, "events WHERE payload->>'n' = '1'") == 1);
  CHECK(Count(database, "dead_letters WHERE reason = 'id_conflict'") == 1);
}

TEST_CASE("redelivered messages: what is stored is done with, the rest is stored") {
  TestDatabase database;
  Writing writing(database);
  const event::Envelope known = MakeEnvelope("a.known");
  writing.writer().SubmitMessage(writing.Message(known));
  writing.Wait(1);
  writing.writer().SubmitMessage(writing.Message(known, true));
  writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.new"), true));
  writing.writer().SubmitMessage(writing.Message(known, true));
  writing.Wait(4);
  CHECK(Count(database, "events") == 2);
  CHECK(Count(database, "dead_letters") == 0);
}

TEST_CASE("when the database's connections die, messages are kept and stored later, once") {
  TestDatabase database;
  Writing writing(database);
  writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.first")));
  writing.Wait(1);
  const auto admin = TestDatabase::Connect(database.Admin());
  for (int round = 0; round < 3; ++round) {
    REQUIRE(admin
                ->Execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                          "WHERE usename = 'god33_writer' AND datname = current_database()")
                .ok());
    for (int i = 0; i < 50; ++i) {
      writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.b")));
    }
  }
  for (const auto& outcome : writing.Wait(151)) CHECK(outcome.ok());
  CHECK(Count(database, "events") == 151);
  CHECK(Count(database, "(SELECT max(position) AS last FROM events) AS t WHERE last = 151") == 1);
  CHECK(Count(database, "dead_letters") == 0);
}

TEST_CASE(
    "while nobody may log in, appends are answered and messages kept; nothing is a dead letter") {
  TestDatabase database;
  Writing writing(database);
  writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.first")));
  writing.Wait(1);
  // Away for everybody but the administrator: a transient fault, seen from the writer.
  pg::Config elsewhere = database.Admin();
  elsewhere.url = elsewhere.url.substr(0, elsewhere.url.rfind('/')) + "/postgres";
  const auto admin = TestDatabase::Connect(elsewhere);
  const std::string name = database.Admin().url.substr(database.Admin().url.rfind('/') + 1);
  REQUIRE(admin->Execute(StrCat("ALTER DATABASE ", name, " ALLOW_CONNECTIONS false")).ok());
  REQUIRE(admin
              ->Execute(StrCat("SELECT pg_terminate_backend(pid) FROM pg_stat_activity ",
                               "WHERE datname = '", name, "'"))
              .ok());
  writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.second")));
  // The writer notices by the message, which it keeps; from then on appends are refused at once.
  absl::Status refused;
  const std::int64_t deadline = MonotonicNanos() + 30'000'000'000;
  std::size_t appended = 0;
  while (refused.ok() && MonotonicNanos() < deadline) {
    refused = writing.writer().SubmitAppend(writing.Append(MakeEnvelope("a.append")));
    if (refused.ok()) {
      ++appended;
      const auto outcomes = writing.Wait(1 + appended);
      if (!outcomes.back().ok()) refused = outcomes.back().status();
    }
  }
  CHECK(absl::IsUnavailable(refused));
  CHECK(writing.breaker() == 1);
  REQUIRE(admin->Execute(StrCat("ALTER DATABASE ", name, " ALLOW_CONNECTIONS true")).ok());
  writing.Wait(2 + appended);
  CHECK(Count(database, "events WHERE event_type = 'a.second'") == 1);
  CHECK(Count(database, "dead_letters") == 0);
}

TEST_CASE("appends that wait behind a batch are answered when the database goes away") {
  TestDatabase database;
  TcpProxy proxy(database.Writer().url);
  pg::Config proxied = database.Writer();
  proxied.url = proxy.url();
  Writing writing(proxied);
  writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.first")));
  writing.Wait(1);

  proxy.SwallowAnswersTo("append_events");
  writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.second")));
  REQUIRE(proxy.AwaitSwallowed(absl::Seconds(30)));
  REQUIRE(writing.writer().SubmitAppend(writing.Append(MakeEnvelope("a.append"))).ok());
  proxy.Cut();
  const auto outcomes = writing.Wait(3);
  CHECK(absl::IsUnavailable(outcomes[1].status()));
  CHECK(outcomes[2].ok());
  CHECK(writing.queued() == 0);
  CHECK(Count(database, "events WHERE event_type = 'a.second'") == 1);
  CHECK(Count(database, "events WHERE event_type = 'a.append'") == 0);
}

// A writer behind a network that can lose answers.
struct LosingAnswers {
  // Waits until the answer to the commit was lost, sees that there was one, and cuts the connection.
  void Lose(const std::string& committed) {
    REQUIRE(proxy.AwaitSwallowed(absl::Seconds(30)));
    CHECK(Count(database, committed) == 1);
    proxy.Cut();
  }

  pg::Config Proxied() const {
    pg::Config config = database.Writer();
    config.url = proxy.url();
    return config;
  }

  TestDatabase database;
  TcpProxy proxy{database.Writer().url};
  Writing writing{Proxied()};
};

TEST_CASE("what was stored lately is known when it comes over the bus, without the database") {
  TestDatabase database;
  TcpProxy proxy(database.Writer().url);
  pg::Config proxied = database.Writer();
  proxied.url = proxy.url();
  Writing writing(proxied);
  const event::Envelope event = MakeEnvelope("a.b", "{}");
  REQUIRE(writing.writer().SubmitAppend(writing.Append(event)).ok());
  const std::int64_t position = writing.Wait(1)[0]->placed[0].position;

  proxy.DelayAnswers(absl::Minutes(5));
  writing.writer().SubmitMessage(writing.Message(event));
  writing.writer().SubmitMessage(writing.Message(event, true));
  const auto outcomes = writing.Wait(3);
  for (const auto& outcome : {outcomes[1], outcomes[2]}) {
    REQUIRE(outcome.ok());
    CHECK(outcome->placed[0].duplicate);
    CHECK(outcome->placed[0].position == position);
  }
  proxy.Cut();
  // Other content under the same id is not.
  event::Envelope other = event;
  other.payload = "{\"n\":1}";
  writing.writer().SubmitMessage(writing.Message(other));
  writing.Wait(4);
  CHECK(Count(database, "dead_letters WHERE reason = 'id_conflict'") == 1);
  CHECK(Count(database, "events") == 1);
}

TEST_CASE("a commit whose answer is lost makes no second dead letter") {
  LosingAnswers lost;
  Writing& writing = lost.writing;
  const event::Envelope first = MakeEnvelope("a.b", "{\"n\":1}");
  writing.writer().SubmitMessage(writing.Message(first));
  writing.Wait(1);

  Submission letter = writing.Message(first);
  const std::string reason = GENERATE("unreadable", "id_conflict", "store_failed");
  if (reason == "unreadable") {
    letter.unit.events.clear();
    letter.dead_letter = eventlog::DeadLetter{.reason = reason, .origin = *letter.origin};
  } else if (reason == "id_conflict") {
    event::Envelope second = first;
    second.payload = "{\"n\":2}";
    letter = writing.Message(second);
  } else {
    ForbidPoison(lost.database);
    letter = writing.Message(MakeEnvelope("poison.event"));
  }
  CAPTURE(reason);
  lost.proxy.SwallowAnswersTo("COMMIT");
  writing.writer().SubmitMessage(std::move(letter));
  lost.Lose("dead_letters");
  for (const auto& outcome : writing.Wait(2)) CHECK(outcome.ok());
  CHECK(Count(lost.database, StrCat("dead_letters WHERE reason = '", reason, "'")) == 1);

  // Another message of the same bytes, which was never tried, is one more.
  Submission twin = writing.Message(first);
  twin.unit.events.clear();
  twin.dead_letter = eventlog::DeadLetter{.reason = "unreadable", .origin = *twin.origin};
  writing.writer().SubmitMessage(std::move(twin));
  writing.Wait(3);
  CHECK(Count(lost.database, "dead_letters") == 2);
}

TEST_CASE("events whose commit's answer is lost are stored once") {
  LosingAnswers lost;
  Writing& writing = lost.writing;
  writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.b")));
  writing.Wait(1);

  // A message is kept and found to be stored; who appended is told to try again, and finds it stored.
  const event::Envelope message = MakeEnvelope("a.b", "{\"lost\":\"message\"}");
  lost.proxy.SwallowAnswersTo("{\"lost\":\"message\"}");
  writing.writer().SubmitMessage(writing.Message(message));
  lost.Lose("events WHERE payload->>'lost' = 'message'");
  CHECK(writing.Wait(2).back().ok());

  const event::Envelope append = MakeEnvelope("a.b", "{\"lost\":\"append\"}");
  lost.proxy.SwallowAnswersTo("{\"lost\":\"append\"}");
  REQUIRE(writing.writer().SubmitAppend(writing.Append(append)).ok());
  lost.Lose("events WHERE payload->>'lost' = 'append'");
  CHECK(ReasonOf(writing.Wait(3).back().status()) == "DATABASE_UNAVAILABLE");
  writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.b")));
  writing.Wait(4);  // the database is back
  REQUIRE(writing.writer().SubmitAppend(writing.Append(append)).ok());
  const auto outcome = writing.Wait(5).back();
  REQUIRE(outcome.ok());
  CHECK(outcome->placed.front().duplicate);
  CHECK(Count(lost.database, "events") == 4);
  CHECK(Count(lost.database, "dead_letters") == 0);
}

// A writer on another machine, which stops in the middle of a pipeline after it has taken the log's lock: no
// time-out of its session counts there.
class StoppedInPipeline {
 public:
  explicit StoppedInPipeline(const TestDatabase& database)
      : connection_(PQconnectdb(database.Writer().url.c_str()), PQfinish) {
    for (const char* sql : {"SET idle_in_transaction_session_timeout = '2s'",
                            "SET statement_timeout = '30s'", "BEGIN"}) {
      PQclear(PQexec(connection_.get(), sql));
    }
    PQenterPipelineMode(connection_.get());
    PQsendQueryParams(connection_.get(), "SELECT pg_advisory_xact_lock(33, 1)", 0, nullptr, nullptr,
                      nullptr, nullptr, 0);
    PQsendFlushRequest(connection_.get());
    PQflush(connection_.get());
    PQclear(PQgetResult(connection_.get()));  // it has the lock; no Sync follows
  }

 private:
  std::unique_ptr<PGconn, void (*)(PGconn*)> connection_;
};

TEST_CASE("a writer that stops in the middle of a pipeline holds the others up for seconds only") {
  TestDatabase database;
  Writing writing(database);
  writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.b")));
  writing.Wait(1);
  const StoppedInPipeline stopped(database);
  const std::int64_t started = MonotonicNanos();
  REQUIRE(writing.writer().SubmitAppend(writing.Append(MakeEnvelope("a.b"))).ok());
  const auto outcome = writing.Wait(2).back();
  CHECK(outcome.ok());  // it had not to be tried again
  const std::int64_t took = MonotonicNanos() - started;
  CHECK(took > 1'500'000'000);  // the holder really was in the way
  CHECK(took < 10'000'000'000);
}

TEST_CASE("while the disk is full messages are kept, appends are told, and health does not waver") {
  TestDatabase database;
  const auto admin = TestDatabase::Connect(database.Admin());
  Writing writing(database);
  writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.b")));
  writing.Wait(1);
  CHECK(writing.health().find(R"("status":"ok")") != std::string::npos);
  REQUIRE(admin
              ->Execute(R"sql(
    CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fill())sql")
              .ok());
  // Who appends first meets the fault, those after him are refused before.
  REQUIRE(writing.writer().SubmitAppend(writing.Append(MakeEnvelope("a.b"))).ok());
  CHECK(ReasonOf(writing.Wait(2).back().status()) == "DATABASE_FULL");
  writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.b")));
  const Stop never;
  int told = 0;
  for (const std::int64_t end = MonotonicNanos() + 3'000'000'000; MonotonicNanos() < end; ++told) {
    never.WaitFor(absl::Milliseconds(10));
    if (told < 50) continue;  // until the message is what is tried
    CHECK(ReasonOf(writing.writer().SubmitAppend(writing.Append(MakeEnvelope("a.b")))) ==
          "DATABASE_FULL");
    CHECK(writing.health().find("No space left on device") != std::string::npos);
    CHECK(writing.full() == 1);
    CHECK(writing.breaker() == 1);
  }
  REQUIRE(admin->Execute("DROP FUNCTION fill CASCADE").ok());
  CHECK(writing.Wait(3).back().ok());
  CHECK(writing.health().find(R"("status":"ok")") != std::string::npos);
  CHECK(writing.full() == 0);
  REQUIRE(writing.writer().SubmitAppend(writing.Append(MakeEnvelope("a.b"))).ok());
  CHECK(writing.Wait(4).back().ok());
  CHECK(Count(database, "events") == 3);
  CHECK(Count(database, "dead_letters") == 0);
}

TEST_CASE("a writer that stops stores what it was given") {
  TestDatabase database;
  Writing writing(database);
  for (int i = 0; i < 2500; ++i) {
    writing.writer().SubmitMessage(writing.Message(MakeEnvelope("a.b")));
  }
  writing.Stop();
  CHECK(writing.Wait(2500).size() == 2500);
  CHECK(Count(database, "events") == 2500);
}

}  // namespace
}  // namespace god33::manager
