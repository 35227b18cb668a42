#include "services/event-store-manager/workflow_steps.h"

#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "testing/servers.h"
#include "tests/integration/events.h"

// The steps of workflows against a real log: parents, repeated calls, several callers at once.

namespace god33::manager {
namespace {

namespace v1 = workflow::v1;

using testing::AppendAll;
using testing::MakeEnvelope;
using testing::NewId;
using testing::TestDatabase;

// What a manager would do it with. Several may work on one database.
class Manager {
 public:
  explicit Manager(const TestDatabase& database)
      : writer_(LogWriter::Options{.database = database.Writer()}, clock_, metrics_, health_),
        steps_(writer_, payloads_, clock_, ids_, database.Writer(), 4) {}

  WorkflowSteps& steps() { return steps_; }

  template <typename Request>
  absl::StatusOr<v1::WorkflowStep> Take(const Request& request) {
    const auto call = ReadCall(request);
    if (!call.ok()) return call.status();
    return steps_.Take(*call, "tester", request.SerializeAsString());
  }

  template <typename Request>
  v1::WorkflowStep Must(const Request& request) {
    const auto step = Take(request);
    INFO(step.status());
    REQUIRE(step.ok());
    return *step;
  }

 private:
  SystemClock clock_;
  TimeOrderedIds ids_{clock_};
  wire::PayloadRegistry payloads_;
  prometheus::Registry registry_;
  Metrics metrics_{registry_};
  rpc::Health health_;
  LogWriter writer_;
  WorkflowSteps steps_;
};

v1::StartWorkflowRequest Start(const std::string& workflow = "") {
  v1::StartWorkflowRequest request;
  request.set_workflow_id(workflow);
  request.set_project_name("shop");
  request.set_from_agent("bmad-analyst");
  return request;
}

v1::CompletePhaseRequest Phase(const std::string& workflow, const std::string& phase = "analysis") {
  v1::CompletePhaseRequest request;
  request.set_workflow_id(workflow);
  request.set_phase(phase);
  return request;
}

v1::RequestHandoffRequest Handoff(const std::string& workflow) {
  v1::RequestHandoffRequest request;
  request.set_workflow_id(workflow);
  request.set_from_agent("bmad-architect");
  request.set_to_agent("letta-python-dev");
  request.set_task_description("Implement the login page");
  request.mutable_context()->set_text(R"({"n": 12345678901234567890})");
  return request;
}

v1::RequestValidationRequest Validation(const std::string& workflow) {
  v1::RequestValidationRequest request;
  request.set_workflow_id(workflow);
  request.set_from_agent("bmad-code-reviewer");
  return request;
}

v1::CompleteWorkflowRequest Complete(const std::string& workflow) {
  v1::CompleteWorkflowRequest request;
  request.set_workflow_id(workflow);
  return request;
}

std::vector<std::string> ParentsOf(const v1::WorkflowStep& step) {
  return {step.correlation_ids().begin(), step.correlation_ids().end()};
}

using Ids = std::vector<std::string>;

std::string Text(const TestDatabase& database, const std::string& sql) {
  const pg::Statement statement = {"text", sql.c_str()};
  const auto rows = TestDatabase::Connect(database.Admin())->Query(statement);
  REQUIRE(rows.ok());
  return rows->rows() == 0 ? "(none)" : std::string(rows->Bytes(0, 0));
}

// What an agent does with a hand-off, as other producers say it: over the bus, without a workflow_id.
std::string WorkOn(const TestDatabase& database, const v1::WorkflowStep& handoff) {
  const std::string session = NewId().ToString();
  const auto accepted =
      MakeEnvelope("agent.handoff.accepted", StrCat(R"({"session_id":")", session, "\"}"),
                   {*Uuid::Parse(handoff.event_id())});
  const auto completed = MakeEnvelope("agent.letta.task.completed",
                                      StrCat(R"({"session_id":")", session, "\"}"), {accepted.id});
  const auto connection = TestDatabase::Connect(database.Writer());
  REQUIRE(AppendAll(*connection, {accepted, completed}).ok());
  return completed.id.ToString();
}

TEST_CASE("a workflow is steered from its start to its end, each step caused by the one before") {
  TestDatabase database;
  Manager manager(database);
  const v1::WorkflowStep started = manager.Must(Start());
  const std::string& workflow = started.workflow_id();
  CHECK(ParentsOf(started).empty());
  const v1::WorkflowStep phase = manager.Must(Phase(workflow));
  CHECK(ParentsOf(phase) == Ids{started.event_id()});
  const v1::WorkflowStep handoff = manager.Must(Handoff(workflow));
  CHECK(ParentsOf(handoff) == Ids{phase.event_id()});
  CHECK(ReasonOf(manager.Take(Validation(workflow)).status()) == "HANDOFF_NOT_COMPLETED");

  const std::string completed = WorkOn(database, handoff);
  const v1::WorkflowStep validation = manager.Must(Validation(workflow));
  CHECK(ParentsOf(validation) == Ids{completed});
  const v1::WorkflowStep end = manager.Must(Complete(workflow));
  CHECK(ParentsOf(end) == Ids{validation.event_id()});
  CHECK(end.position() == 7);

  const std::string of = StrCat(" FROM events WHERE event_id = '", handoff.event_id(), "'");
  CHECK(Text(database, "SELECT payload #>> '{context}'" + of) == R"({"n": 12345678901234567890})");
  CHECK(Text(database, "SELECT source ->> 'app'" + of) == "bmad-orchestrator");
  CHECK(Text(database, "SELECT source ->> 'type'" + of) == "agent");
  CHECK(Text(database, "SELECT agent_context ->> 'type'" + of) == "bmad-architect");
  CHECK(Text(database, "SELECT appended::text" + of) == "true");
  CHECK(Text(database, StrCat("SELECT payload ->> 'target_agent' FROM events WHERE event_id = '",
                              validation.event_id(), "'")) == "letta-python-dev");
  CHECK(Text(database, "SELECT version::text FROM aggregates") == "5");
}

TEST_CASE("the status is worked out of the log as it is now") {
  TestDatabase database;
  Manager manager(database);
  const std::string workflow = manager.Must(Start()).workflow_id();
  manager.Must(Phase(workflow));
  const v1::WorkflowStep handoff = manager.Must(Handoff(workflow));
  const auto status = [&] {
    const auto told = manager.steps().Status(*Uuid::Parse(workflow));
    INFO(told.status());
    REQUIRE(told.ok());
    return *told;
  };
  CHECK(status().project_name() == "shop");
  CHECK(status().handoffs(0).state() == "requested");
  CHECK(status().position() == 3);

  const std::string session = NewId().ToString();
  const auto accepted =
      MakeEnvelope("agent.handoff.accepted", StrCat(R"({"session_id":")", session, "\"}"),
                   {*Uuid::Parse(handoff.event_id())});
  // Of the live vocabulary, without a session.
  const auto question =
      MakeEnvelope("agent.feedback.requested", R"({"agent_id":"a-1","message":"JWT or cookies?"})",
                   {accepted.id});
  const auto connection = TestDatabase::Connect(database.Writer());
  REQUIRE(AppendAll(*connection, {accepted, question}).ok());
  CHECK(status().handoffs(0).state() == "accepted");
  CHECK(status().handoffs(0).session_id() == session);
  CHECK(status().current_agent() == "letta-python-dev");
  CHECK(status().current_phase() == "implementation");
  REQUIRE(status().open_questions_size() == 1);
  CHECK(status().open_questions(0).question() == "JWT or cookies?");
  CHECK(status().open_questions(0).handoff_id() == handoff.event_id());
  CHECK(absl::IsNotFound(manager.steps().Status(NewId()).status()));
}

TEST_CASE("a call with a request_id counts once, also after others and at another manager") {
  TestDatabase database;
  Manager manager(database);
  Manager other(database);
  v1::StartWorkflowRequest start = Start();
  start.set_request_id("start-1");
  const v1::WorkflowStep started = manager.Must(start);
  CHECK_FALSE(started.duplicate());
  v1::CompletePhaseRequest phase = Phase(started.workflow_id());
  phase.set_request_id("phase-1");
  const v1::WorkflowStep done = manager.Must(phase);
  manager.Must(Complete(started.workflow_id()));

  const v1::WorkflowStep start_again = other.Must(start);
  CHECK(start_again.duplicate());
  CHECK(start_again.workflow_id() == started.workflow_id());
  CHECK(start_again.event_id() == started.event_id());
  const v1::WorkflowStep phase_again = other.Must(phase);
  CHECK(phase_again.duplicate());
  CHECK(phase_again.event_id() == done.event_id());
  CHECK(phase_again.position() == done.position());
  CHECK(ParentsOf(phase_again) == ParentsOf(done));
  CHECK(Text(database, "SELECT count(*)::text FROM events") == "3");

  phase.set_phase("planning");
  CHECK(ReasonOf(other.Take(phase).status()) == "IDEMPOTENCY_KEY_REUSED");
}

TEST_CASE("callers at once, at two managers, make one chain without a gap or a fork") {
  constexpr int kCallers = 4;
  constexpr int kPhases = 10;
  TestDatabase database;
  Manager managers[] = {Manager(database), Manager(database)};
  const v1::WorkflowStep started = managers[0].Must(Start());
  absl::Mutex mutex;
  std::vector<v1::WorkflowStep> steps;
  absl::Status failure;
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      for (int n = 0; n < kPhases; ++n) {
        const auto step = managers[i % 2].Take(Phase(started.workflow_id()));
        absl::MutexLock lock(&mutex);
        if (!step.ok()) failure = step.status();
        if (step.ok()) steps.push_back(*step);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  INFO(failure);
  REQUIRE(steps.size() == kCallers * kPhases);
  // Each is the child of the one before, so each is a parent but the last.
  std::sort(steps.begin(), steps.end(), [](const auto& one, const auto& another) {
    return one.position() < another.position();
  });
  std::string before = started.event_id();
  for (const v1::WorkflowStep& step : steps) {
    REQUIRE(ParentsOf(step) == Ids{before});
    before = step.event_id();
  }
}

TEST_CASE("the same call, made many times at once, counts once") {
  TestDatabase database;
  Manager managers[] = {Manager(database), Manager(database)};
  const v1::WorkflowStep started = managers[0].Must(Start());
  v1::RequestHandoffRequest request = Handoff(started.workflow_id());
  request.set_request_id("the-hand-off");
  absl::Mutex mutex;
  std::set<std::string> ids;
  int first = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, i] {
      const auto step = managers[i % 2].Take(request);
      absl::MutexLock lock(&mutex);
      ids.insert(step.ok() ? step->event_id() : step.status().ToString());
      if (step.ok() && !step->duplicate()) ++first;
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(ids.size() == 1);
  CHECK(first == 1);
  CHECK(Text(database, "SELECT count(*)::text FROM events") == "2");
}

TEST_CASE("validate_only finds the parents and appends nothing") {
  TestDatabase database;
  Manager manager(database);
  const v1::WorkflowStep started = manager.Must(Start());
  v1::RequestHandoffRequest request = Handoff(started.workflow_id());
  request.set_validate_only(true);
  request.set_request_id("later-for-real");
  const v1::WorkflowStep forecast = manager.Must(request);
  CHECK(forecast.event_id().empty());
  CHECK(forecast.position() == 0);
  CHECK(ParentsOf(forecast) == Ids{started.event_id()});
  CHECK(forecast.payload().text().find("12345678901234567890") != std::string::npos);
  CHECK(Text(database, "SELECT count(*)::text FROM events") == "1");
  request.set_validate_only(false);
  CHECK_FALSE(manager.Must(request).duplicate());
}

TEST_CASE("a workflow of more events than one step reads is read to its end") {
  TestDatabase database;
  Manager manager(database);
  const v1::WorkflowStep started = manager.Must(Start());
  std::vector<event::Envelope> notes;
  const std::string of = StrCat(R"({"workflow_id":")", started.workflow_id(), "\"}");
  for (int i = 0; i < 2500; ++i) notes.push_back(MakeEnvelope("agent.thread.prompt", of));
  const auto phase = MakeEnvelope(
      "bmad.workflow.phase.completed",
      StrCat(R"({"workflow_id":")", started.workflow_id(), R"(","phase":"analysis"})"));
  notes.push_back(phase);
  const auto connection = TestDatabase::Connect(database.Writer());
  REQUIRE(AppendAll(*connection, notes).ok());
  CHECK(ParentsOf(manager.Must(Handoff(started.workflow_id()))) == Ids{phase.id.ToString()});
}

TEST_CASE(
    "what retention has dropped is not found, and what is retained of it is shown to nobody") {
  TestDatabase database;
  Manager manager(database);
  const v1::WorkflowStep started = manager.Must(Start());
  const v1::WorkflowStep handoff = manager.Must(Handoff(started.workflow_id()));
  const v1::WorkflowStep phase = manager.Must(Phase(started.workflow_id()));
  const auto drop = [&](int last) {
    return StrCat("INSERT INTO dropped_months (month, first_position, last_position, bytes) ",
                  "VALUES (now() - make_interval(months => ", last, "), 1, ", last, ", 0)");
  };
  REQUIRE(TestDatabase::Connect(database.Admin())->Execute(drop(2)).ok());
  const auto status = manager.steps().Status(*Uuid::Parse(started.workflow_id()));
  REQUIRE(status.ok());
  CHECK(status->handoffs_size() == 0);
  CHECK(ParentsOf(manager.Must(Handoff(started.workflow_id()))) == Ids{phase.event_id()});
  CHECK(ReasonOf(manager.Take(Validation(started.workflow_id())).status()) ==
        "HANDOFF_NOT_COMPLETED");
  REQUIRE(TestDatabase::Connect(database.Admin())->Execute(drop(4)).ok());
  CHECK(absl::IsNotFound(manager.Take(Phase(started.workflow_id())).status()));
}

TEST_CASE("while the database is away a step says so, and may be repeated") {
  TestDatabase database;
  Manager manager(database);
  const v1::WorkflowStep started = manager.Must(Start());
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute("ALTER TABLE event_ids RENAME TO elsewhere")
              .ok());
  CHECK_FALSE(manager.Take(Phase(started.workflow_id())).ok());
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute("ALTER TABLE elsewhere RENAME TO event_ids")
              .ok());
  CHECK(ParentsOf(manager.Must(Phase(started.workflow_id()))) == Ids{started.event_id()});
}

}  // namespace
}  // namespace god33::manager
