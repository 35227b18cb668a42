#include <catch2/catch.hpp>
#include <thread>

#include "base/error.h"
#include "base/ids.h"
#include "base/stop.h"
#include "base/strings.h"
#include "pg/error.h"
#include "pg/pool.h"
#include "testing/servers.h"
#include "testing/tcp_proxy.h"

namespace god33::pg {
namespace {

using testing::TcpProxy;
using testing::TestDatabase;

TEST_CASE("values of every type come back as they were sent") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  constexpr Statement kEcho = {"echo", R"sql(
    SELECT $1::bigint, $2::integer, $3::text, $4::boolean, $5::uuid, $6::timestamptz, $7::bytea,
           $8::json, $9::uuid[], $10::text[])sql"};
  const Uuid id = *Uuid::Parse("00112233-4455-6677-8899-aabbccddeeff");
  const absl::Time time = absl::FromUnixMicros(-1);
  Array texts(Type::kText);
  texts.Text("a");
  texts.Null();
  texts.Text("");
  const auto row = connection->Query(
      kEcho, Params()
                 .Int8(-9'000'000'000)
                 .Int4(-7)
                 .Text("grüße")
                 .Bool(true)
                 .Id(id)
                 .Time(time)
                 .Bytes(std::string("\0\xff", 2))
                 .Text("{\"a\": \"\\u0000\", \"n\": 123456789012345678901234567890, \"a\": 1e999}")
                 .Ids({id, Uuid()})
                 .Array(std::move(texts)));
  REQUIRE(row.ok());
  CHECK(row->Int8(0, 0) == -9'000'000'000);
  CHECK(row->Int4(0, 1) == -7);
  CHECK(row->Bytes(0, 2) == "grüße");
  CHECK(row->Bool(0, 3));
  CHECK(row->Id(0, 4) == id);
  CHECK(row->Time(0, 5) == time);
  CHECK(row->Bytes(0, 6) == std::string("\0\xff", 2));
  CHECK(row->Bytes(0, 7) ==
        "{\"a\": \"\\u0000\", \"n\": 123456789012345678901234567890, \"a\": 1e999}");
  CHECK(row->Ids(0, 8) == std::vector<Uuid>{id, Uuid()});
  CHECK(row->Texts(0, 9) == std::vector<std::string_view>{"a", ""});
}

TEST_CASE("an empty array is an empty array") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  constexpr Statement kCount = {"count", "SELECT cardinality($1::uuid[])::bigint"};
  const auto row = connection->Query(kCount, Params().Ids({}));
  REQUIRE(row.ok());
  CHECK(row->Int8(0, 0) == 0);
}

TEST_CASE("a commit after a failed statement is an error, because it rolled back") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Admin());
  REQUIRE(connection->Execute("CREATE TABLE t (i int)").ok());
  auto transaction = Transaction::Begin(*connection);
  REQUIRE(transaction.ok());
  REQUIRE(connection->Execute("INSERT INTO t VALUES (1)").ok());
  REQUIRE_FALSE(connection->Execute("INSERT INTO t VALUES ('x')").ok());
  CHECK_FALSE(std::move(*transaction).Commit().ok());
  constexpr Statement kCount = {"count", "SELECT count(*) FROM t"};
  CHECK(connection->Query(kCount)->Int8(0, 0) == 0);
}

TEST_CASE("errors are sorted into transient ones and those of the data") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Admin());
  const absl::Status data = connection->Execute("SELECT 'x'::json");
  CHECK(IsDataError(data));
  CHECK(SqlState(data) == "22P02");
  CHECK(IsTransient(connection->Execute("SET statement_timeout = 50; SELECT pg_sleep(5)")));
  const absl::Status other = connection->Execute("SELECT nothing_like_this()");
  CHECK_FALSE(IsDataError(other));
  CHECK_FALSE(IsTransient(other));
}

TEST_CASE("a statement that fails in a pipeline leaves the connection usable") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Admin());
  constexpr Statement kOne = {"one", "SELECT 1::bigint"};
  constexpr Statement kDivide = {"divide", "SELECT 1 / $1::bigint"};
  const Params none, zero = std::move(Params().Int8(0));
  const auto failed = connection->QueryAll({{kOne, none}, {kDivide, zero}, {kOne, none}});
  CHECK(IsDataError(failed.status()));
  const auto good = connection->QueryAll({{kOne, none}, {kOne, none}});
  REQUIRE(good.ok());
  CHECK((*good)[1].Int8(0, 0) == 1);
}

TEST_CASE("a connection that the server ends is broken and says so as transient") {
  TestDatabase database;
  const auto victim = TestDatabase::Connect(database.Writer());
  const auto admin = TestDatabase::Connect(database.Admin());
  constexpr Statement kPid = {"pid", "SELECT pg_backend_pid()::bigint"};
  const std::int64_t pid = victim->Query(kPid)->Int8(0, 0);
  REQUIRE(admin->Execute(StrCat("SELECT pg_terminate_backend(", pid, ", 5000)")).ok());
  const auto after = victim->Query(kPid);
  CHECK(IsTransient(after.status()));
  CHECK(victim->broken());
}

TEST_CASE("a server that does not answer is given up after the call's time-out") {
  TestDatabase database;
  Config config = database.Writer();
  config.call_timeout = absl::Milliseconds(200);
  const auto connection = TestDatabase::Connect(config);
  const absl::Status status = connection->Execute("SELECT pg_sleep(30)");
  CHECK(IsTransient(status));
  CHECK(connection->broken());
}

TEST_CASE("a server whose answers stay away is given up after the call's time-out") {
  TestDatabase database;
  TcpProxy proxy(database.Writer().url);
  Config config = database.Writer();
  config.url = proxy.url();
  config.call_timeout = absl::Milliseconds(500);
  const auto connection = TestDatabase::Connect(config);
  proxy.DelayAnswers(absl::Milliseconds(50));
  const std::int64_t started = MonotonicNanos();
  CHECK(connection->Execute("SELECT 1").ok());
  CHECK(MonotonicNanos() - started >= 50'000'000);
  proxy.DelayAnswers(absl::Hours(1));
  CHECK(IsTransient(connection->Execute("SELECT 1")));
  CHECK(connection->broken());
  proxy.Cut();
  CHECK(TestDatabase::Connect(config)->Execute("SELECT 1").ok());
}

TEST_CASE("a pool lends its connections, waits for one, and refuses after the time-out") {
  TestDatabase database;
  Pool pool(database.Writer(), 1);
  {
    auto lease = pool.Acquire(absl::Seconds(5));
    REQUIRE(lease.ok());
    CHECK(ReasonOf(pool.Acquire(absl::Milliseconds(20)).status()) == "POOL_EXHAUSTED");
  }
  CHECK(pool.Acquire(absl::Seconds(5)).ok());
}

// Ends all connections of a pool's application, as a restart of the server would.
void EndAll(const TestDatabase& database, const std::string& application) {
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute(StrCat("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                               "WHERE application_name = '",
                               application, "' AND datname = current_database()"))
              .ok());
}

TEST_CASE("who asks a pool for a live connection gets one though all idle ones have died") {
  TestDatabase database;
  Config config = database.Writer();
  config.application_name = "pool-test";
  Pool pool(config, 2);
  {
    const auto one = pool.Acquire(absl::Seconds(5));
    const auto two = pool.Acquire(absl::Seconds(5));
    REQUIRE(two.ok());
  }
  EndAll(database, "pool-test");
  for (int i = 0; i < 2; ++i) {
    auto lease = pool.AcquireAlive(absl::Seconds(5));
    REQUIRE(lease.ok());
    CHECK((*lease)->Execute("SELECT 1").ok());
  }
}

TEST_CASE("a caller learns the reason of a failure and nothing that the database said") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const auto told = [&connection](std::string_view sql) {
    const absl::Status status = ForCaller(connection->Execute(sql), "a test failed");
    CHECK(MessageOf(status).find("secret") == std::string::npos);
    return ReasonOf(status);
  };
  CHECK(ForCaller(absl::OkStatus(), "a test failed").ok());
  CHECK(told("SELECT secret FROM events") == "DATABASE_NOT_MIGRATED");
  CHECK(told("SELECT 'secret'::integer") == "INTERNAL");
  CHECK(told("SET statement_timeout = 20; SELECT pg_sleep(10)") == "QUERY_TOO_SLOW");
  CHECK(told("SELECT pg_terminate_backend(pg_backend_pid())") == "DATABASE_UNAVAILABLE");
  CHECK(told("SELECT 1") == "DATABASE_UNAVAILABLE");
  const absl::Status own = MakeError(absl::StatusCode::kNotFound, "NO_SUCH_THING", "no such thing");
  CHECK(ForCaller(own, "a test failed") == own);
}

TEST_CASE("a notification ends the wait, and so does a wake-up") {
  TestDatabase database;
  const auto listener = TestDatabase::Connect(database.Writer());
  const auto other = TestDatabase::Connect(database.Writer());
  REQUIRE(listener->Execute("LISTEN god33_log").ok());
  Wakeup wakeup;
  const std::int64_t started = MonotonicNanos();
  REQUIRE(other->Execute("NOTIFY god33_log").ok());
  REQUIRE(listener->WaitForNotification(absl::Seconds(60), wakeup).ok());
  wakeup.Signal();
  REQUIRE(listener->WaitForNotification(absl::Seconds(60), wakeup).ok());
  CHECK(MonotonicNanos() - started < 50'000'000'000);
}

}  // namespace
}  // namespace god33::pg
