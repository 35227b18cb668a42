#include "reaction/decide.h"

#include <catch2/catch.hpp>
#include <thread>

#include "base/error.h"
#include "tests/integration/reacting.h"

namespace god33::reaction {
namespace {

using testing::ReactingSet;
using testing::TestDatabase;

struct Deciding : ReactingSet {
  absl::StatusOr<sequence::Unit> Accept(std::optional<sequence::Aggregate> aggregate = {}) {
    auto event = factory.Make({.type = testing::kAccepted, .payload = "{}"});
    if (!event.ok()) return event.status();
    sequence::Unit unit;
    unit.events.push_back(*std::move(event));
    unit.aggregate = std::move(aggregate);
    return unit;
  }

  static absl::Status Insert(pg::Connection& connection) {
    return connection.Execute("INSERT INTO tasks VALUES (gen_random_uuid(), 0)");
  }

  pg::Pool pool{Database(), 4};
  SystemClock clock;
  TimeOrderedIds ids{clock};
  wire::PayloadRegistry registry;
  EventFactory factory{"worker", "test", registry, clock, ids};
};

TEST_CASE("a decision's changes and its events are committed together, for the relay to publish") {
  Deciding set;
  const auto outcome = Decide(set.pool, [&](pg::Connection& connection) {
    CHECK(Deciding::Insert(connection).ok());
    return set.Accept();
  });
  REQUIRE(outcome.ok());
  REQUIRE(outcome->placed.size() == 1);
  CHECK(outcome->placed[0].position == 1);
  CHECK(set.Count("tasks") == 1);
  CHECK(
      set.Count("events WHERE appended AND source->>'app' = 'worker' AND source->>'host' = 'test' "
                "AND source->>'type' = 'service'") == 1);
}

TEST_CASE("a decision without events is committed without locking the log") {
  Deciding set;
  const auto holder = TestDatabase::Connect(set.database.Writer());
  REQUIRE(holder->Execute("BEGIN").ok());
  REQUIRE(eventlog::LockLog(*holder).ok());
  const auto outcome = Decide(set.pool, [&](pg::Connection& connection) {
    CHECK(Deciding::Insert(connection).ok());
    return sequence::Unit();
  });
  REQUIRE(outcome.ok());
  CHECK(outcome->placed.empty());
  CHECK(set.Count("tasks") == 1);
}

TEST_CASE("a decision that fails, or that the log refuses, changes nothing") {
  Deciding set;
  const std::string name = "task/6f9619ff-8b86-4011-b42d-00c04fc964ff";
  const auto decide = [&](std::int64_t expected) {
    return Decide(set.pool, [&](pg::Connection& connection) {
      CHECK(Deciding::Insert(connection).ok());
      return set.Accept(sequence::Aggregate{.name = name, .expected_version = expected});
    });
  };
  const auto first = decide(0);
  REQUIRE(first.ok());
  CHECK(first->aggregate_version == 1);
  CHECK(ReasonOf(decide(0).status()) == "VERSION_CONFLICT");
  const auto refused =
      Decide(set.pool, [](pg::Connection& connection) -> absl::StatusOr<sequence::Unit> {
        CHECK(Deciding::Insert(connection).ok());
        return absl::NotFoundError("no such task");
      });
  CHECK(absl::IsNotFound(refused.status()));
  CHECK(decide(1)->aggregate_version == 2);
  CHECK(set.Count("tasks") == 2);
  CHECK(set.Count("events") == 2);
}

TEST_CASE("a decision that loses a deadlock is made again") {
  Deciding set;
  set.MustExecute("INSERT INTO tasks SELECT gen_random_uuid(), n FROM generate_series(1, 2) AS n");
  std::atomic<int> tries = 0;
  std::atomic<int> waiting = 0;
  const auto lock_both = [&](int first, int second) {
    return Decide(set.pool,
                  [&, first, second](pg::Connection& connection) -> absl::StatusOr<sequence::Unit> {
                    ++tries;
                    const auto lock = [&connection](int position) {
                      return connection.Execute(
                          StrCat("SELECT FROM tasks WHERE position = ", position, " FOR UPDATE"));
                    };
                    if (absl::Status status = lock(first); !status.ok()) return status;
                    ++waiting;
                    testing::Until([&] { return waiting >= 2; });
                    if (absl::Status status = lock(second); !status.ok()) return status;
                    return set.Accept();
                  });
  };
  set.MustExecute("GRANT UPDATE ON tasks TO god33_writer");
  absl::Status other;
  std::thread thread([&] { other = lock_both(2, 1).status(); });
  const absl::Status mine = lock_both(1, 2).status();
  thread.join();
  CHECK(mine.ok());
  CHECK(other.ok());
  CHECK(tries >= 3);
  CHECK(set.Count("events") == 2);
}

TEST_CASE("who locks the log sees its end, and decides on it alone") {
  Deciding set;
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  std::atomic<int> taken = 0;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      const auto outcome =
          Decide(set.pool, [&](pg::Connection& connection) -> absl::StatusOr<sequence::Unit> {
            if (absl::Status status = eventlog::LockLog(connection); !status.ok()) return status;
            constexpr pg::Statement kTaken = {"taken", "SELECT count(*) FROM events"};
            const auto rows = connection.Query(kTaken);
            if (!rows.ok()) return rows.status();
            if (rows->Int8(0, 0) > 0) return sequence::Unit();
            return set.Accept();
          });
      taken += outcome.ok() && !outcome->placed.empty();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(taken == 1);
  CHECK(set.Count("events") == 1);
}

TEST_CASE("a decision waits for no writer that has stopped") {
  Deciding set;
  const auto stopped = TestDatabase::Connect(set.database.Writer());
  REQUIRE(stopped->Execute("SET idle_in_transaction_session_timeout = 0; BEGIN").ok());
  REQUIRE(eventlog::LockLog(*stopped).ok());
  CHECK(Decide(set.pool, [&](pg::Connection&) { return set.Accept(); }).ok());
}

}  // namespace
}  // namespace god33::reaction
