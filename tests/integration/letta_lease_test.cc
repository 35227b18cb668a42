#include "services/letta-bridge/lease.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "base/error.h"
#include "base/stop.h"
#include "services/letta-bridge/held_task.h"
#include "services/letta-bridge/tool_journal.h"
#include "testing/tcp_proxy.h"
#include "tests/integration/bridging.h"

// The right to act for a task, and what is done under it.

namespace god33::letta {
namespace {

using testing::Bridging;
using testing::MakeHandoff;
using testing::NewId;
using testing::TcpProxy;
using testing::TestDatabase;

struct Leasing : Bridging {
  std::unique_ptr<pg::Connection> connection = TestDatabase::Connect(Database());
  const Uuid task = NewId();

  std::optional<Lease> Take(const std::string& holder) {
    auto lease = TakeLease(*connection, task, holder);
    INFO(lease.status());
    REQUIRE(lease.ok());
    return *lease;
  }
  void Expire() const {
    MustExecute("UPDATE letta_leases SET expires_at = now() - interval '1 s'");
  }
};

TEST_CASE("one holds a lease, and each that takes it has a higher epoch") {
  Leasing set;
  const auto first = set.Take("a");
  REQUIRE(first);
  CHECK(first->epoch == 1);
  CHECK_FALSE(set.Take("b"));
  CHECK_FALSE(set.Take("a"));
  CHECK(*IsHeld(*set.connection, set.task));
  REQUIRE(ReleaseLease(*set.connection, *first).ok());
  CHECK_FALSE(*IsHeld(*set.connection, set.task));
  const auto second = set.Take("b");
  REQUIRE(second);
  CHECK(second->epoch == 2);
  CHECK(CheckLease(*set.connection, *second).ok());
  CHECK(ReasonOf(CheckLease(*set.connection, *first)) == "LEASE_LOST");
  CHECK_FALSE(*IsHeld(*set.connection, NewId()));
}

TEST_CASE("a lease that is not renewed can be taken, and what the old holder releases is his own") {
  Leasing set;
  const auto first = set.Take("a");
  set.Expire();
  CHECK_FALSE(*IsHeld(*set.connection, set.task));
  const auto second = set.Take("b");
  REQUIRE(second);
  CHECK(second->epoch == 2);
  REQUIRE(ReleaseLease(*set.connection, *first).ok());
  CHECK(*IsHeld(*set.connection, set.task));
  CHECK(CheckLease(*set.connection, *second).ok());
}

TEST_CASE("of many that take a lease at once one has it") {
  Leasing set;
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&set, &taken, i] {
      const auto connection = TestDatabase::Connect(set.Database());
      const auto lease = TakeLease(*connection, set.task, StrCat("holder ", i));
      taken += lease.ok() && *lease;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(taken == 1);
}

TEST_CASE("a holder prolongs the leases that he works under, and no others") {
  Leasing set;
  const auto mine = set.Take("a");
  const Uuid forgotten = NewId();
  const Uuid others = NewId();
  REQUIRE(*TakeLease(*set.connection, forgotten, "a"));
  REQUIRE(*TakeLease(*set.connection, others, "b"));
  set.Expire();
  const auto held = RenewLeases(*set.connection, "a", {set.task, others});
  REQUIRE(held.ok());
  CHECK(*held == absl::flat_hash_set<Uuid>{set.task});
  CHECK(*IsHeld(*set.connection, set.task));
  // A claim whose commit got no answer: nobody works on it.
  CHECK_FALSE(*IsHeld(*set.connection, forgotten));
  CHECK_FALSE(*IsHeld(*set.connection, others));
  REQUIRE(ReleaseLease(*set.connection, *mine).ok());
  CHECK(RenewLeases(*set.connection, "a", {set.task})->empty());
  CHECK(RenewLeases(*set.connection, "a", {})->empty());
}

TEST_CASE("a lease from before the clock was set back is no lease") {
  Leasing set;
  const Uuid task = static_cast<Bridging&>(set).Take(MakeHandoff());
  const auto claim = set.Claim(task, "a");
  REQUIRE(claim->claim);
  set.MustExecute("UPDATE letta_leases SET expires_at = now() + interval '1 h'");
  CHECK_FALSE(*IsHeld(*set.connection, task));
  CHECK(*FindWork(*set.connection, 10, {}) == std::vector{task});
  const auto next = set.Claim(task, "b");
  REQUIRE(next.ok());
  REQUIRE(next->claim);
  CHECK(next->claim->lease.epoch == 2);
}

// ---- What is done under a lease.

struct Holding : Bridging {
  HeldTask Hold(const Uuid& task_id, const std::string& holder, pg::Pool& through) {
    auto claim = Claim(task_id, holder);
    INFO(claim.status());
    REQUIRE(claim.ok());
    REQUIRE(claim->claim);
    return HeldTask(claim->claim->lease, claim->claim->task, through, factory, ids, stop);
  }
  HeldTask Hold(const Uuid& task_id, const std::string& holder) {
    return Hold(task_id, holder, pool);
  }

  HeldTask::Decide Accept() {
    return [session = NewId()](pg::Connection&, TaskEvents& events) {
      events.Accept({.id = session,
                     .instance_id = "letta-python-dev-001",
                     .agent_id = "agent-1",
                     .conversation_id = "conv-1"},
                    "c-0");
      events.SaveCheckpoint({.id = StrCat("c-", session.ToString()),
                             .type = "initial",
                             .agent_id = "agent-1",
                             .conversation_id = "conv-1",
                             .memory_digest = "d"});
      return absl::OkStatus();
    };
  }
  void Expire() const {
    MustExecute("UPDATE letta_leases SET expires_at = now() - interval '1 s'");
  }

  Stop stop;
};

TEST_CASE("a step's events and rows are there together, with the state that is their fold") {
  Holding set;
  const Uuid task = set.Take(MakeHandoff());
  HeldTask held = set.Hold(task, "a");
  REQUIRE(held.Step(set.Accept()).ok());
  CHECK(held.task().status == TaskStatus::kActive);
  CHECK(set.Count("events WHERE event_type = 'agent.handoff.accepted' AND appended") == 1);
  CHECK(set.Count("letta_sessions") == 1);
  CHECK(set.Count("letta_checkpoints WHERE sequence = 1 AND type = 'initial'") == 1);
  CHECK(set.StatusOf(task) == "active");
  set.CheckStates();

  const absl::Status refused = held.Step([](pg::Connection& connection, TaskEvents& events) {
    events.Pause("requested");
    REQUIRE(connection.Execute("DELETE FROM letta_sessions").ok());
    return absl::InvalidArgumentError("no");
  });
  CHECK(absl::IsInvalidArgument(refused));
  CHECK(set.Count("letta_sessions") == 1);
  CHECK(set.StatusOf(task) == "active");
  CHECK(held.task().status == TaskStatus::kActive);
}

TEST_CASE("a holder whose lease was taken writes nothing any more") {
  Holding set;
  const Uuid task = set.Take(MakeHandoff());
  HeldTask stale = set.Hold(task, "a");
  set.Expire();
  HeldTask holder = set.Hold(task, "b");
  const std::int64_t events = set.Count("events");
  CHECK(ReasonOf(stale.Step(set.Accept())) == "LEASE_LOST");
  CHECK(ReasonOf(stale.Write([](pg::Connection& connection) {
          return connection.Execute("DELETE FROM letta_agents");
        })) == "LEASE_LOST");
  const ToolCall call{.call_id = "1", .name = "deploy", .arguments = "{}"};
  const auto connection = TestDatabase::Connect(set.Database());
  CHECK(ReasonOf(EndCall(*connection, stale.lease(), call, {})) == "LEASE_LOST");
  CHECK(ReasonOf(BeginCall(*connection, stale.lease(), call, 0, false).status()) == "LEASE_LOST");
  CHECK(set.Count("events") == events);
  CHECK(set.Count("letta_agents") == 1);
  CHECK(set.Count("letta_tool_calls") == 0);
  CHECK(set.StatusOf(task) == "waiting");
  CHECK(holder.Step(set.Accept()).ok());
  CHECK(stale.task().status == TaskStatus::kWaiting);
  set.CheckStates();
}

TEST_CASE("a lease can't be taken while a step under it commits") {
  Holding set;
  const Uuid task = set.Take(MakeHandoff());
  HeldTask held = set.Hold(task, "a");
  set.Expire();
  const absl::Status status = held.Step([&](pg::Connection& connection, TaskEvents& events) {
    const auto other = TestDatabase::Connect(set.Database());
    REQUIRE(other->Execute("SET lock_timeout = '100ms'").ok());
    CHECK_FALSE(TakeLease(*other, task, "b").ok());
    return set.Accept()(connection, events);
  });
  CHECK(status.ok());
  const auto next = set.Claim(task, "b");
  REQUIRE(next.ok());
  CHECK(next->claim->task.status == TaskStatus::kActive);
  CHECK(next->claim->holder_was_lost);
}

TEST_CASE("a connection that is lost in the middle of a commit does a step once") {
  Holding set;
  pg::Config through = set.Database();
  TcpProxy proxy(through.url);
  through.url = proxy.url();
  pg::Pool pool(through, 2);
  const Uuid task = set.Take(MakeHandoff());
  HeldTask held = set.Hold(task, "a", pool);
  proxy.SwallowAnswersTo("COMMIT");
  absl::Status status = absl::UnknownError("not run");
  int tries = 0;
  std::thread thread([&] {
    status = held.Step([&](pg::Connection& connection, TaskEvents& events) {
      ++tries;
      return set.Accept()(connection, events);
    });
  });
  CHECK(proxy.AwaitSwallowed(absl::Seconds(10)));
  proxy.Cut();
  thread.join();
  INFO(status);
  CHECK(status.ok());
  CHECK(tries == 1);
  CHECK(held.task().status == TaskStatus::kActive);
  CHECK(set.Count("events WHERE event_type = 'agent.handoff.accepted'") == 1);
  CHECK(set.Count("letta_checkpoints") == 1);
  set.CheckStates();
}

TEST_CASE("a connection that is lost before a commit has the step made anew, once") {
  Holding set;
  pg::Config through = set.Database();
  TcpProxy proxy(through.url);
  through.url = proxy.url();
  pg::Pool pool(through, 2);
  const Uuid task = set.Take(MakeHandoff());
  HeldTask held = set.Hold(task, "a", pool);
  int tries = 0;
  const absl::Status status = held.Step([&](pg::Connection& connection, TaskEvents& events) {
    if (++tries == 1) proxy.Cut();
    return set.Accept()(connection, events);
  });
  INFO(status);
  CHECK(status.ok());
  CHECK(tries == 2);
  CHECK(set.Count("events WHERE event_type = 'agent.handoff.accepted'") == 1);
  set.CheckStates();
}

TEST_CASE("who stops waits for no database") {
  Holding set;
  const Uuid task = set.Take(MakeHandoff());
  pg::Config nowhere = set.Database();
  nowhere.url = "postgresql://127.0.0.1:1/none";
  pg::Pool pool(nowhere, 1);
  HeldTask held = set.Hold(task, "a", pool);
  set.stop.Request();
  CHECK(absl::IsCancelled(held.Step(set.Accept())));
}

// ---- The journal of tool calls.

struct Journaling : Holding {
  JournalEntry Begin(const ToolCall& call, std::int64_t checkpoint = 1, bool idempotent = false) {
    auto entry = BeginCall(*connection, lease, call, checkpoint, idempotent);
    INFO(entry.status());
    REQUIRE(entry.ok());
    return *std::move(entry);
  }

  const Uuid task = Take(MakeHandoff());
  const Lease lease = Claim(task, "a")->claim->lease;
  const std::unique_ptr<pg::Connection> connection = TestDatabase::Connect(Database());
};

ToolCall Deploy(const std::string& call_id, const std::string& arguments = R"({"to":"test"})") {
  return {.call_id = call_id, .name = "deploy", .arguments = arguments};
}

TEST_CASE("a call that was made has its result again, and one that was begun is not new") {
  Journaling set;
  CHECK(set.Begin(Deploy("1")).is_new);
  const JournalEntry begun = set.Begin(Deploy("1"));
  CHECK_FALSE(begun.is_new);
  CHECK_FALSE(begun.result);
  REQUIRE(
      EndCall(*set.connection, set.lease, Deploy("1"), {.text = "done", .is_error = true}).ok());
  const JournalEntry ended = set.Begin(Deploy("1"));
  CHECK_FALSE(ended.is_new);
  REQUIRE(ended.result);
  CHECK(ended.result->text == "done");
  CHECK(ended.result->is_error);
  CHECK(set.Begin(Deploy("2")).is_new);
}

TEST_CASE("a call that an agent makes again after a recovery is the same call, once") {
  Journaling set;
  REQUIRE(set.Begin(Deploy("1"), 1).is_new);
  REQUIRE(EndCall(*set.connection, set.lease, Deploy("1"), {.text = "kept"}).ok());
  REQUIRE(set.Begin(Deploy("2"), 2).is_new);
  REQUIRE(EndCall(*set.connection, set.lease, Deploy("2"), {.text = "lost"}).ok());
  REQUIRE(set.Begin(Deploy("3", R"({"to":"live"})"), 2).is_new);

  // It goes on from checkpoint 2: what came after that is lost.
  const auto lost = LoseCalls(*set.connection, set.task, 2);
  REQUIRE(lost.ok());
  REQUIRE(lost->size() == 2);
  CHECK(lost->at(0).result == "lost");
  CHECK_FALSE(lost->at(1).result);
  CHECK(lost->at(1).arguments == R"({"to":"live"})");

  CHECK(set.Begin(Deploy("4", R"({"to":"moon"})"), 2).is_new);
  CHECK(set.Begin(Deploy("5"), 2).result->text == "lost");
  CHECK(set.Begin(Deploy("6"), 2).is_new);
  const JournalEntry unknown = set.Begin(Deploy("7", R"({"to":"live"})"), 2);
  CHECK_FALSE(unknown.is_new);
  CHECK_FALSE(unknown.result);
}

TEST_CASE("texts of a call may hold what a column does not") {
  Journaling set;
  const ToolCall call = Deploy("1", R"({"text":"a\u0000b\ud800"})");
  CHECK(set.Begin(call).is_new);
  CHECK(LoseCalls(*set.connection, set.task, 0)->size() == 1);
  CHECK_FALSE(set.Begin(Deploy("2", call.arguments)).is_new);
}

}  // namespace
}  // namespace god33::letta
