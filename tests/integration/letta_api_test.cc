// What the API of letta-bridge writes: one task, one answer, one agent, whoever else does the same at the same time.

#include <prometheus/registry.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <thread>
#include <vector>

#include "reaction/journal.h"
#include "reaction/reactor.h"
#include "services/letta-bridge/agent_api.h"
#include "services/letta-bridge/checkpoint_list.h"
#include "services/letta-bridge/feedback_api.h"
#include "services/letta-bridge/reactions.h"
#include "services/letta-bridge/session_orders.h"
#include "services/letta-bridge/task_list.h"
#include "testing/servers.h"
#include "tests/integration/events.h"

namespace god33::letta {
namespace {

using testing::MakeEnvelope;
using testing::TestDatabase;

// A Letta that makes agents and forgets them, and does nothing else: the real one has tests of its own
// (letta_backend_test.cc).
class AgentMaker final : public Backend {
 public:
  void Shutdown() override {}
  std::string Describe() const override { return "a test's"; }
  absl::Status Check() override { return absl::OkStatus(); }
  absl::StatusOr<std::string> CreateAgent(const AgentSpec& spec) override {
    made.push_back(spec);
    if (!answer.ok()) return answer;
    return StrCat("agent-", made.size());
  }
  absl::Status DeleteAgent(const std::string& agent_id) override {
    deleted.push_back(agent_id);
    return absl::OkStatus();
  }
  absl::StatusOr<Memory> ReadMemory(const std::string&) override { return Never(); }
  absl::StatusOr<std::string> WriteMemory(const std::string&,
                                          const std::vector<MemoryFile>&) override {
    return Never();
  }
  absl::StatusOr<std::unique_ptr<Conversation>> Open(const Attach&) override { return Never(); }
  absl::StatusOr<std::string> Fork(const std::string&, const std::string&) override {
    return Never();
  }
  absl::StatusOr<std::vector<Message>> Messages(const std::string&, int) override {
    return Never();
  }

  absl::Status answer;
  std::vector<AgentSpec> made;
  std::vector<std::string> deleted;

 private:
  static absl::Status Never() { return absl::InternalError("not for this test"); }
};

struct Api {
  Api() {
    const auto connection = Connect();
    REQUIRE(reaction::Journal(kReactionService).Register(*connection, false).ok());
  }

  pg::Config Database() const {
    pg::Config config = database.Writer();
    config.settings = reaction::DatabaseSettings();
    return config;
  }
  std::unique_ptr<pg::Connection> Connect() const { return TestDatabase::Connect(Database()); }

  std::int64_t Count(const std::string& from) const {
    const std::string query = StrCat("SELECT count(*) FROM ", from);
    const pg::Statement statement = {"count", query.c_str()};
    const auto rows = TestDatabase::Connect(database.Admin())->Query(statement);
    REQUIRE(rows.ok());
    return rows->Int8(0, 0);
  }

  static v1::AssignTaskRequest Assignment(const std::string& key = "") {
    v1::AssignTaskRequest request;
    request.set_agent_id("letta-python-dev");
    request.set_description("Do it");
    request.set_idempotency_key(key);
    return request;
  }

  // A question of an agent that is not the bridge's, in the log and listed.
  Uuid Ask() {
    const auto asked = MakeEnvelope("agent.feedback.requested", R"({"question":"Shall I?"})");
    Store(asked);
    Letta(asked);
    return asked.id;
  }
  void Store(const event::Envelope& envelope) {
    const auto connection = TestDatabase::Connect(database.Writer());
    REQUIRE(testing::AppendAll(*connection, {envelope}).ok());
  }
  // As the reactor has the bridge look at an event.
  void Letta(const event::Envelope& envelope) {
    reaction::Incoming incoming;
    incoming.event = sequence::Prepare(envelope);
    const auto connection = Connect();
    REQUIRE(connection->Execute("BEGIN").ok());
    REQUIRE(reactions.React(*connection, incoming).ok());
    REQUIRE(connection->Commit().ok());
  }
  absl::Status Answer(const Uuid& question, v1::AnswerFeedbackResponse& response) {
    v1::AnswerFeedbackRequest request;
    request.set_request_id(question.ToString());
    request.set_decision("yes");
    return feedback.Answer(request, "ada", response);
  }

  TestDatabase database;
  SystemClock clock;
  TimeOrderedIds ids{clock};
  wire::PayloadRegistry payloads;
  prometheus::Registry registry;
  Metrics metrics{registry};
  reaction::EventFactory factory{"letta-bridge", "test", payloads, clock, ids};
  pg::Pool pool{Database(), 8};
  HandoffRules rules{.agent_types = {"python-dev"}};
  const std::string model = "test/model";
  AgentMaker maker;
  AgentApi agents{{.backend = maker,
                   .pool = pool,
                   .factory = factory,
                   .clock = clock,
                   .ids = ids,
                   .metrics = metrics,
                   .rules = rules,
                   .model = model}};
  FeedbackApi feedback{pool, factory, ids};
  Reactions reactions{rules, factory, clock, ids, metrics, [] {}};
};

const std::function<bool()> kThere = [] { return false; };

TEST_CASE("a task that is assigned is in the log, and marked before it comes back") {
  Api api;
  v1::AssignTaskResponse assigned;
  REQUIRE(api.agents.Assign(Api::Assignment(), assigned).ok());
  CHECK(assigned.position() == 1);
  CHECK(assigned.estimated_checkpoints() == 3);
  CHECK(api.Count("events WHERE appended AND event_type = 'agent.handoff.requested' AND "
                  "payload ->> 'to_agent' = 'letta-python-dev'") == 1);
  CHECK(api.Count(StrCat("reactions WHERE service = 'letta-bridge' AND event_id = '",
                         assigned.task_id(), "'")) == 1);
  v1::Task task;
  REQUIRE(ReadTask(*api.Connect(), {}, *Uuid::Parse(assigned.task_id()), task).ok());
  CHECK(task.status() == "waiting");
  CHECK(task.from_agent() == "api");
  CHECK(task.queue_position() == 1);
}

TEST_CASE(
    "what PostgreSQL can't read as text is no obstacle to tasks, their causes and their lists") {
  Api api;
  v1::AssignTaskRequest request = Api::Assignment();
  for (const char* context : {R"({"a":"\u0000"})", R"({"a":"\ud800"})"}) {
    request.mutable_context()->set_text(context);
    v1::AssignTaskResponse assigned;
    const absl::Status status = api.agents.Assign(request, assigned);
    INFO(status);
    REQUIRE(status.ok());
    request.set_correlation_id(assigned.task_id());
  }
  v1::ListTasksResponse tasks;
  REQUIRE(ListTasks(*api.Connect(), {}, {}, tasks).ok());
  CHECK(tasks.tasks_size() == 2);
}

TEST_CASE("the same assignment by many at once is one task") {
  Api api;
  std::vector<v1::AssignTaskResponse> answers(8);
  std::vector<absl::Status> statuses(answers.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    threads.emplace_back(
        [&, i] { statuses[i] = api.agents.Assign(Api::Assignment("once"), answers[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  int first = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    INFO(statuses[i]);
    REQUIRE(statuses[i].ok());
    CHECK(answers[i].task_id() == answers[0].task_id());
    CHECK(answers[i].position() == 1);
    first += answers[i].duplicate() ? 0 : 1;
  }
  CHECK(first == 1);
  CHECK(api.Count("letta_tasks") == 1);
  CHECK(api.Count("events") == 1);
}

TEST_CASE("what would be rejected is refused, and nothing is written") {
  Api api;
  v1::AssignTaskResponse assigned;
  v1::AssignTaskRequest request = Api::Assignment("key");
  request.set_agent_id("letta-cook");
  CHECK(ReasonOf(api.agents.Assign(request, assigned)) == "UNKNOWN_AGENT");
  request = Api::Assignment("key");
  request.mutable_deadline()->set_seconds(1);
  CHECK(ReasonOf(api.agents.Assign(request, assigned)) == "DEADLINE_PASSED");
  CHECK(api.Count("events") == 0);
  CHECK(api.Count("letta_handoff_keys") == 0);
}

TEST_CASE("of answers at the same time one wins, and the others are told who") {
  Api api;
  const Uuid question = api.Ask();
  std::vector<v1::AnswerFeedbackResponse> answers(8);
  std::vector<absl::Status> statuses(answers.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    threads.emplace_back([&, i] { statuses[i] = api.Answer(question, answers[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  std::string winner;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (statuses[i].ok()) winner = answers[i].event_id();
  }
  REQUIRE_FALSE(winner.empty());
  int late = 0;
  for (const absl::Status& status : statuses) {
    if (status.ok()) continue;
    ++late;
    INFO(status);
    CHECK(absl::IsAlreadyExists(status));
    CHECK(ReasonOf(status) == "ALREADY_ANSWERED");
    CHECK(MetadataOf(status)["settled_by"] == winner);
  }
  CHECK(late == 7);
  CHECK(api.Count("events WHERE event_type = 'agent.feedback.response'") == 1);
}

TEST_CASE(
    "an answer that stands in the log wins against one that is given before it was looked at") {
  Api api;
  const Uuid question = api.Ask();
  const auto earlier = MakeEnvelope("agent.feedback.response", R"({"decision":"no"})", {question});
  api.Store(earlier);
  v1::AnswerFeedbackResponse response;
  const absl::Status late = api.Answer(question, response);
  CHECK(ReasonOf(late) == "ALREADY_ANSWERED");
  CHECK(MetadataOf(late)["settled_by"] == earlier.id.ToString());
  CHECK(api.Count("letta_questions WHERE status = 'pending'") == 1);
  api.Letta(earlier);
  CHECK(api.Count("letta_questions WHERE status = 'answered' AND answer = 'no'") == 1);
}

TEST_CASE(
    "an agent of a caller's own is made outside of all transactions, and kept with its beginning") {
  Api api;
  v1::CreateAgentRequest request;
  request.set_agent_type("python-dev");
  request.mutable_initial_context()->set_text(R"({"style":"terse"})");
  v1::CreateAgentResponse made;
  REQUIRE(api.agents.Create(request, kThere, made).ok());
  CHECK(made.agent_id() == "agent-1");
  CHECK(made.instance_id() == "letta-python-dev-001");
  CHECK_FALSE(made.has_task_id());
  CHECK(api.maker.made[0].model == api.model);

  v1::GetLettaCheckpointRequest get;
  get.set_agent_id(made.agent_id());
  get.set_checkpoint_id(made.checkpoint_id());
  v1::LettaCheckpoint checkpoint;
  REQUIRE(ReadCheckpoint(*api.Connect(), get, checkpoint).ok());
  CHECK(checkpoint.memory_snapshot().text().find("system/context.md") != std::string::npos);
  get.set_agent_id("agent-2");
  CHECK(ReasonOf(ReadCheckpoint(*api.Connect(), get, checkpoint)) == "CHECKPOINT_NOT_FOUND");
}

TEST_CASE("with a first task the agent and the task are there together, or neither") {
  Api api;
  v1::CreateAgentRequest request;
  request.set_agent_type("cook");
  request.mutable_initial_context()->set_text(R"({"task_description":"Cook","menu":["soup"]})");
  v1::CreateAgentResponse made;
  REQUIRE(api.agents.Create(request, kThere, made).ok());
  CHECK(api.Count(StrCat("events WHERE event_id = '", made.task_id(),
                         "' AND payload ->> 'agent_id' = 'agent-1' AND payload #>> "
                         "'{context,menu,0}' = 'soup'")) == 1);

  // An id that is taken: the second agent can't be written.
  api.maker.made.clear();
  CHECK_FALSE(api.agents.Create(request, kThere, made).ok());
  CHECK(api.maker.deleted == std::vector<std::string>{"agent-1"});
  CHECK(api.Count("letta_agents") == 1);
  CHECK(api.Count("letta_tasks") == 1);
}

TEST_CASE("who has gone meanwhile leaves no agent behind, and neither does Letta's refusal") {
  Api api;
  v1::CreateAgentRequest request;
  request.set_agent_type("python-dev");
  v1::CreateAgentResponse made;
  CHECK(absl::IsCancelled(api.agents.Create(
      request, [] { return true; }, made)));
  CHECK(api.maker.deleted == std::vector<std::string>{"agent-1"});
  api.maker.answer = MakeError(absl::StatusCode::kUnimplemented, "LETTA_UNSUPPORTED", "no");
  CHECK(ReasonOf(api.agents.Create(request, kThere, made)) == "LETTA_UNSUPPORTED");
  CHECK(api.Count("letta_agents") == 0);
}

TEST_CASE("an order is noted once, refused where it makes no sense, and waited for") {
  Api api;
  v1::AssignTaskResponse assigned;
  REQUIRE(api.agents.Assign(Api::Assignment(), assigned).ok());
  const Uuid task = *Uuid::Parse(assigned.task_id());
  SessionOrders orders(api.pool);
  const auto give = [&](Order::Kind kind) {
    return ReasonOf(orders.Give(task, {.kind = kind, .asked_by = "ada"}).status());
  };
  CHECK(give(Order::Kind::kPause) == "NOT_ACTIVE");
  CHECK(give(Order::Kind::kCheckpoint) == "NOT_ACTIVE");
  CHECK(give(Order::Kind::kResume) == "NOT_PAUSED");
  CHECK(give(Order::Kind::kCancel) == "OK");
  CHECK(give(Order::Kind::kCancel) == "OK");
  CHECK(api.Count("letta_orders") == 1);
  const auto patience = absl::Milliseconds(50);
  const auto obeyed = orders.AwaitObeyed(task, Order::Kind::kCancel, patience, kThere);
  REQUIRE(obeyed.ok());
  CHECK_FALSE(*obeyed);
  orders.Stop();
  const std::int64_t begun = MonotonicNanos();
  CHECK(orders.AwaitObeyed(task, Order::Kind::kCancel, absl::Seconds(20), kThere).ok());
  CHECK(MonotonicNanos() - begun < 5'000'000'000);
  CHECK(ReasonOf(orders.Give(testing::NewId(), {}).status()) == "SESSION_UNKNOWN");
}

}  // namespace
}  // namespace god33::letta
