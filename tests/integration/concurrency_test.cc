#include <catch2/catch.hpp>
#include <random>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "pg/error.h"
#include "testing/servers.h"
#include "tests/integration/events.h"

namespace god33::eventlog {
namespace {

using testing::AppendAll;
using testing::MakeEnvelope;
using testing::MakeUnit;
using testing::TestDatabase;

// Tries until it is stored, as every writer does.
void AppendUntilStored(pg::Connection& connection, const std::vector<event::Envelope>& envelopes,
                       std::atomic<int>& failures) {
  for (int tries = 0; tries < 100; ++tries) {
    const auto stored = AppendAll(connection, envelopes);
    if (stored.ok()) return;
    if (!pg::IsTransient(stored.status())) break;
  }
  ++failures;
}

TEST_CASE("writers side by side leave one dense order, each event in it once") {
  TestDatabase database;
  constexpr int kWriters = 6;
  constexpr int kBatches = 40;
  // Every event is offered by two writers.
  std::vector<std::vector<event::Envelope>> batches;
  for (int i = 0; i < kWriters / 2 * kBatches; ++i) {
    std::vector<event::Envelope>& batch = batches.emplace_back();
    for (int j = 0; j < 10; ++j) batch.push_back(MakeEnvelope("a.b"));
  }
  std::atomic<int> failures = 0;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      const auto connection = TestDatabase::Connect(database.Writer());
      for (int i = 0; i < kBatches; ++i) {
        AppendUntilStored(*connection, batches[w / 2 * kBatches + i], failures);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(failures == 0);

  const auto connection = TestDatabase::Connect(database.Writer());
  constexpr pg::Statement kCheck = {"check", R"sql(
    SELECT count(*), count(DISTINCT position), min(position), max(position), count(DISTINCT event_id)
    FROM events)sql"};
  const auto row = connection->Query(kCheck);
  const std::int64_t expected = kWriters / 2 * kBatches * 10;
  CHECK(row->Int8(0, 0) == expected);
  CHECK(row->Int8(0, 1) == expected);
  CHECK(row->Int8(0, 2) == 1);
  CHECK(row->Int8(0, 3) == expected);
  CHECK(row->Int8(0, 4) == expected);
  constexpr pg::Statement kTime = {"time", R"sql(
    SELECT count(*) FROM (
      SELECT recorded_at < lag(recorded_at) OVER (ORDER BY position) AS back FROM events) AS t
    WHERE back)sql"};
  CHECK(connection->Query(kTime)->Int8(0, 0) == 0);
}

TEST_CASE("a reader that follows positions misses none, however many writers there are") {
  TestDatabase database;
  constexpr int kWriters = 4;
  constexpr int kEvents = 200;
  std::atomic<int> running = kWriters;
  std::atomic<int> failures = 0;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&] {
      const auto connection = TestDatabase::Connect(database.Writer());
      for (int i = 0; i < kEvents; ++i) {
        AppendUntilStored(*connection, {MakeEnvelope("a.b")}, failures);
      }
      --running;
    });
  }
  const auto reader = TestDatabase::Connect(database.Reader());
  constexpr pg::Statement kNext = {
      "next", "SELECT position FROM events WHERE position > $1::bigint ORDER BY position LIMIT 50"};
  std::int64_t position = 0;
  bool gap = false;
  for (bool last_round = false;;) {
    const auto rows = reader->Query(kNext, pg::Params().Int8(position));
    REQUIRE(rows.ok());
    for (int i = 0; i < rows->rows(); ++i) {
      gap = gap || rows->Int8(i, 0) != position + 1;
      position = rows->Int8(i, 0);
    }
    if (rows->rows() == 0 && last_round) break;
    last_round = running == 0;
  }
  for (std::thread& writer : writers) writer.join();
  CHECK_FALSE(gap);
  CHECK(failures == 0);
  CHECK(position == kWriters * kEvents);
}

TEST_CASE("a writer that stops while it holds the log is ended, and the others go on") {
  TestDatabase database;
  const auto stopped = TestDatabase::Connect(database.Writer());
  const auto other = TestDatabase::Connect(database.Writer());
  const sequence::Unit unit = MakeUnit({MakeEnvelope("a.stopped")});
  auto transaction = pg::Transaction::Begin(*stopped);
  REQUIRE(transaction.ok());
  REQUIRE(AppendInTransaction(*stopped, {&unit}).ok());
  // Now it holds the lock and does nothing more, like a process that was stopped.

  std::atomic<int> failures = 0;
  const std::int64_t started = MonotonicNanos();
  AppendUntilStored(*other, {MakeEnvelope("a.other")}, failures);
  CHECK(failures == 0);
  // The idle transaction is ended after 2 s; the wait for its lock may have to be repeated once.
  CHECK(MonotonicNanos() - started < 10'000'000'000);

  // Woken up, it finds its transaction gone: nothing of it was stored.
  CHECK_FALSE(std::move(*transaction).Commit().ok());
  constexpr pg::Statement kCount = {"count", "SELECT count(*), max(event_type) FROM events"};
  const auto row = other->Query(kCount);
  CHECK(row->Int8(0, 0) == 1);
  CHECK(row->Bytes(0, 1) == "a.other");
}

TEST_CASE(
    "an append inside a transaction is visible after its commit, with everything else in it") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const auto other = TestDatabase::Connect(database.Writer());
  const sequence::Unit unit = MakeUnit({MakeEnvelope("a.b")});
  constexpr pg::Statement kCount = {"count", "SELECT count(*) FROM events"};
  auto transaction = pg::Transaction::Begin(*connection);
  const auto stored = AppendInTransaction(*connection, {&unit});
  REQUIRE(stored.ok());
  CHECK(stored->outcomes[0].placed[0].position == 1);
  CHECK(other->Query(kCount)->Int8(0, 0) == 0);
  REQUIRE(std::move(*transaction).Commit().ok());
  CHECK(other->Query(kCount)->Int8(0, 0) == 1);
}

}  // namespace
}  // namespace god33::eventlog
