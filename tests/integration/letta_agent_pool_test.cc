#include "services/letta-bridge/agent_pool.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "base/error.h"
#include "tests/integration/bridging.h"

// Which agent works on what, and in which order tasks are taken.

namespace god33::letta {
namespace {

using testing::Bridging;
using testing::MakeHandoff;
using testing::NewId;
using testing::TestDatabase;

constexpr char kType[] = "letta-python-dev";

struct Pooling : Bridging {
  std::optional<PooledAgent> Take(const Uuid& task, int most = 10,
                                  const std::string& project = "shop") {
    std::optional<PooledAgent> agent;
    InTransaction([&] {
      auto taken = TakeAgent(*connection, kType, project, most, task);
      REQUIRE(taken.ok());
      agent = *std::move(taken);
    });
    return agent;
  }
  // One that is made, was used, and is warm again.
  std::string MakeOneWarm(const std::string& id, const std::string& project = "shop") {
    const Uuid task = NewId();
    const auto agent = Take(task, 100, project);
    REQUIRE(agent);
    REQUIRE(KeepAgent(*connection, *agent, id, "{}").ok());
    REQUIRE(ReturnAgent(*connection, task).ok());
    REQUIRE(MakeWarm(*connection, id).ok());
    return agent->instance_id;
  }
  void InTransaction(const std::function<void()>& action) {
    auto transaction = pg::Transaction::Begin(*connection);
    REQUIRE(transaction.ok());
    action();
    REQUIRE(std::move(*transaction).Commit().ok());
  }
  std::string StateOf(const std::string& instance_id) const {
    return Text(StrCat("SELECT state FROM letta_agents WHERE instance_id = '", instance_id, "'"));
  }

  std::unique_ptr<pg::Connection> connection = TestDatabase::Connect(Database());
};

TEST_CASE("a task gets a warm agent, else a new one, as long as there may be more") {
  Pooling set;
  const Uuid task = NewId();
  const auto made = set.Take(task, 1);
  REQUIRE(made);
  CHECK(made->agent_id.empty());
  CHECK(made->instance_id == "letta-python-dev-001");
  CHECK(made->agent_type == kType);
  CHECK(made->project == "shop");
  CHECK((*AgentOfTask(*set.connection, task))->agent_id.empty());
  CHECK_FALSE(set.Take(NewId(), 1));
  REQUIRE(KeepAgent(*set.connection, *made, "agent-1", "{}").ok());
  CHECK((*AgentOfTask(*set.connection, task))->agent_id == "agent-1");
  CHECK_FALSE(*AgentOfTask(*set.connection, NewId()));

  // It is not free before its memory is empty again.
  REQUIRE(ReturnAgent(*set.connection, task).ok());
  CHECK_FALSE(set.Take(NewId(), 1));
  REQUIRE(MakeWarm(*set.connection, "agent-1").ok());
  const auto again = set.Take(NewId(), 1);
  REQUIRE(again);
  CHECK(again->agent_id == "agent-1");
  REQUIRE(MakeWarm(*set.connection, "agent-1").ok());
  CHECK(set.StateOf(again->instance_id) == "busy");
}

TEST_CASE("projects and types have agents of their own") {
  Pooling set;
  set.MakeOneWarm("agent-1", "shop");
  CHECK(set.Take(NewId(), 1, "bank")->agent_id.empty());
  CHECK(set.Take(NewId(), 1, "shop")->agent_id == "agent-1");
  set.InTransaction([&] {
    const auto other = TakeAgent(*set.connection, "letta-rust-dev", "shop", 1, NewId());
    CHECK((*other)->instance_id == "letta-rust-dev-001");
  });
}

TEST_CASE("two tasks never have one agent, and never more than there may be") {
  Pooling set;
  constexpr int kMost = 5;
  set.MakeOneWarm("agent-1");
  set.MakeOneWarm("agent-2");
  std::atomic<int> taken = 0;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      const auto connection = TestDatabase::Connect(Pooling::Database());
      for (int n = 0; n < 4; ++n) {
        auto transaction = pg::Transaction::Begin(*connection);
        const auto agent = TakeAgent(*connection, kType, "shop", kMost, NewId());
        const bool committed = agent.ok() && std::move(*transaction).Commit().ok();
        failed += !committed;
        taken += committed && *agent;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK(taken == kMost);
  CHECK(set.Count("letta_agents WHERE state = 'busy'") == kMost);
  CHECK(set.Number("SELECT count(DISTINCT task_id) FROM letta_agents") == kMost);
}

TEST_CASE("an agent that was dropped makes room for another one") {
  Pooling set;
  const Uuid task = NewId();
  const auto agent = set.Take(task, 1);
  REQUIRE(DropAgent(*set.connection, agent->instance_id).ok());
  CHECK(set.StateOf(agent->instance_id) == "gone");
  CHECK_FALSE(*AgentOfTask(*set.connection, task));
  CHECK(set.Take(NewId(), 1)->instance_id == "letta-python-dev-002");
}

TEST_CASE("an agent that was never made leaves no place taken when its task is over") {
  Pooling set;
  const Uuid task = NewId();
  const auto agent = set.Take(task, 1);
  REQUIRE(ReturnAgent(*set.connection, task).ok());
  CHECK(set.StateOf(agent->instance_id) == "gone");
  CHECK(set.Take(NewId(), 1));
}

TEST_CASE("an agent that a lost bridge may write to is used no more") {
  Pooling set;
  const Uuid task = NewId();
  const auto agent = set.Take(task, 1);
  REQUIRE(KeepAgent(*set.connection, *agent, "agent-1", "{}").ok());
  REQUIRE(SuspectAgent(*set.connection, task).ok());
  CHECK((*AgentOfTask(*set.connection, task))->suspect);
  REQUIRE(ReturnAgent(*set.connection, task).ok());
  CHECK(set.StateOf(agent->instance_id) == "gone");
}

TEST_CASE("a caller's agent has only tasks that name it, one at a time") {
  Pooling set;
  REQUIRE(InsertOwnAgent(*set.connection,
                         {.agent_id = "agent-own",
                          .instance_id = *NextInstance(*set.connection, kType),
                          .agent_type = kType,
                          .project = "shop",
                          .own = true},
                         R"({"model":"m"})")
              .ok());
  CHECK(set.Take(NewId(), 1)->agent_id.empty());
  const Uuid task = NewId();
  const auto taken = TakeOwnAgent(*set.connection, "agent-own", task);
  REQUIRE(taken.ok());
  CHECK((*taken)->own);
  CHECK_FALSE(*TakeOwnAgent(*set.connection, "agent-own", NewId()));
  REQUIRE(ReturnAgent(*set.connection, task).ok());
  CHECK(*TakeOwnAgent(*set.connection, "agent-own", NewId()));
  CHECK(ReasonOf(TakeOwnAgent(*set.connection, "agent-none", NewId()).status()) == "AGENT_UNKNOWN");
  set.MakeOneWarm("agent-pool");
  CHECK(ReasonOf(TakeOwnAgent(*set.connection, "agent-pool", NewId()).status()) == "AGENT_UNKNOWN");
}

TEST_CASE("agents that nobody has reset are found again, by one bridge at a time") {
  Pooling set;
  const Uuid task = NewId();
  const auto agent = set.Take(task);
  REQUIRE(KeepAgent(*set.connection, *agent, "agent-1", "{}").ok());
  REQUIRE(ReturnAgent(*set.connection, task).ok());
  CHECK(ForgottenAgents(*set.connection, absl::Hours(1))->empty());
  set.MustExecute("UPDATE letta_agents SET changed_at = now() - interval '1 h'");
  const auto forgotten = ForgottenAgents(*set.connection, absl::Minutes(1));
  REQUIRE(forgotten->size() == 1);
  CHECK(forgotten->front().agent_id == "agent-1");
  CHECK(forgotten->front().instance_id == agent->instance_id);
  // Whoever was told of it resets it: a second one would do so when it has its next task.
  CHECK(ForgottenAgents(*set.connection, absl::Minutes(1))->empty());
}

// ---- The order of work.

TEST_CASE("the most urgent tasks come first: by priority, then deadline, then as they came") {
  Pooling set;
  const Uuid second = static_cast<Bridging&>(set).Take(MakeHandoff());
  const Uuid last = static_cast<Bridging&>(set).Take(MakeHandoff(",'priority':'low'"));
  const Uuid first = static_cast<Bridging&>(set).Take(MakeHandoff(",'priority':'urgent'"));
  const Uuid third = static_cast<Bridging&>(set).Take(MakeHandoff());
  const Uuid by_deadline =
      static_cast<Bridging&>(set).Take(MakeHandoff(",'deadline':'2999-01-01T00:00:00Z'"));
  CHECK(*FindWork(*set.connection, 10, {}) == std::vector{first, by_deadline, second, third, last});
  CHECK(*FindWork(*set.connection, 2, {}) == std::vector{first, by_deadline});
  const auto open = CountOpen(*set.connection);
  CHECK(open->waiting == 5);
  CHECK(open->active == 0);

  REQUIRE(set.Claim(first, "a")->claim);
  CHECK(*FindWork(*set.connection, 2, {}) == std::vector{by_deadline, second});
}

TEST_CASE("tasks of a pool without a free agent hide no others") {
  Pooling set;
  const Uuid first = static_cast<Bridging&>(set).Take(MakeHandoff());
  const Uuid other = static_cast<Bridging&>(set).Take(MakeHandoff("", {}, "letta-rust-dev"));
  CHECK(*FindWork(*set.connection, 1, {}) == std::vector{first});
  CHECK(*FindWork(*set.connection, 1, {StrCat(kType, "/")}) == std::vector{other});
  CHECK(*FindWork(*set.connection, 1, {StrCat(kType, "/another project")}) == std::vector{first});
}

TEST_CASE("a task is claimed once, with an agent, or not at all") {
  Pooling set;
  const Uuid one = static_cast<Bridging&>(set).Take(MakeHandoff());
  const Uuid other = static_cast<Bridging&>(set).Take(MakeHandoff());
  const auto claim = set.Claim(one, "a", 1);
  REQUIRE(claim->claim);
  CHECK(claim->claim->agent.instance_id == "letta-python-dev-001");
  CHECK(claim->claim->lease.epoch == 1);
  CHECK_FALSE(claim->claim->holder_was_lost);
  CHECK(set.Claim(one, "b", 1)->why == NotClaimed::kGone);
  CHECK(set.Claim(NewId(), "b", 1)->why == NotClaimed::kGone);

  const auto none = set.Claim(other, "b", 1);
  CHECK_FALSE(none->claim);
  CHECK(none->why == NotClaimed::kNoAgent);
  CHECK(none->pool == StrCat(kType, "/"));
  CHECK(set.Count(StrCat("letta_leases WHERE task_id = '", other.ToString(), "'")) == 0);
}

TEST_CASE("a task whose deadline is over is late, before it is accepted") {
  Pooling set;
  event::Envelope handoff = MakeHandoff(",'deadline':'2999-01-01T00:00:00Z'");
  const Uuid task = static_cast<Bridging&>(set).Take(handoff);
  auto transaction = pg::Transaction::Begin(*set.connection);
  const auto late = ClaimTask(*set.connection, task, "a", 10,
                              *absl::StatusOr<absl::Time>(absl::FromUnixSeconds(40'000'000'000)));
  REQUIRE(late.ok());
  CHECK(late->why == NotClaimed::kLate);
  REQUIRE(late->rejected);
  CHECK(late->rejected->id == task);
}

}  // namespace
}  // namespace god33::letta
