#include <catch2/catch.hpp>

#include "services/letta-bridge/orders.h"
#include "services/letta-bridge/prompts.h"
#include "services/letta-bridge/scheduler.h"
#include "tests/integration/bridging.h"
#include "tests/integration/reacting.h"
#include "tests/integration/recording_backend.h"
#include "tests/unit/letta_bridge/directory.h"

// The work on tasks, from the hand-off to its end, with a recording backend in place of Letta. Tasks of different tests'
// concern run side by side: what takes time is waiting.

namespace god33::letta {
namespace {

using Catch::Contains;
using testing::Bridging;
using testing::Json;
using testing::kAnswer;
using testing::MakeEnvelope;
using testing::MakeHandoff;
using testing::NewId;
using testing::TestDatabase;
using testing::Until;

using Letta = RecordingBackend;
using Turn = Letta::Turn;

struct Working : Bridging {
  Working() { settings.workspace = directory.path(); }
  ~Working() { scheduler.reset(); }

  void Start() {
    scheduler = std::make_unique<Scheduler>(TaskRun::Parts{.backend = letta,
                                                           .pool = pool,
                                                           .factory = factory,
                                                           .ids = ids,
                                                           .clock = clock,
                                                           .metrics = metrics,
                                                           .settings = settings},
                                            "bridge-1", Database(), health);
  }

  // Hands a task over whose description is the key of its script.
  Uuid HandOver(const std::string& key, std::vector<Turn> script, const std::string& more = "") {
    letta.Follow(key, std::move(script));
    const Uuid id = Take(MakeHandoff(StrCat(",'task_description':'", key, "'", more)));
    if (scheduler) scheduler->Wake();
    return id;
  }
  bool Await(const Uuid& task, const std::string& status) {
    const bool came = Until([&] { return StatusOf(task) == status; });
    if (!came) UNSCOPED_INFO(StatusOf(task) << ": " << Story(task));
    return came;
  }
  void Give(const Uuid& task, Order::Kind kind) {
    const auto connection = TestDatabase::Connect(Database());
    const absl::Status added = AddOrder(
        *connection, {.task_id = task, .kind = kind, .reason = "so it is", .asked_by = "ada"});
    INFO(added);
    REQUIRE(added.ok());
  }
  void AnswerTo(const Uuid& task, const std::string& decision) {
    Take(MakeEnvelope(kAnswer, Json(StrCat("{'decision':'", decision, "'}")),
                      {TaskOf(task).question->request_id}));
    scheduler->Wake();
  }

  // What the bridge said of a task, in the order of the log, without agent.letta. and agent.
  std::string Story(const Uuid& task) const {
    return Text(
        StrCat("SELECT coalesce(string_agg(regexp_replace(event_type, "
               "'^agent\\.(letta\\.)?', ''), ' ' ORDER BY position), '') FROM events "
               "WHERE payload::text LIKE '%\"task_id\":\"",
               task.ToString(), "\"%'"));
  }
  std::string Reason(const Uuid& task) const { return TaskOf(task).reason; }

  // Nobody holds anything, and every state is the fold of its events.
  void CheckRest() {
    CHECK(Until([&] { return Count("letta_leases WHERE expires_at > now()") == 0; }));
    CheckStates();
    CHECK(Count("letta_orders") == 0);
    CHECK(Count("events WHERE cardinality(payload_errors) > 0") == 0);
  }

  Directory directory;
  Settings settings{.model = "none", .agent_types = {"python-dev", "rust-dev", "qa"}};
  Letta letta;
  rpc::Health health;
  std::unique_ptr<Scheduler> scheduler;
};

constexpr char kWhole[] = "handoff.accepted checkpoint.saved checkpoint.saved task.completed";
constexpr char kRecovered[] =
    "handoff.accepted checkpoint.saved session.failed session.recovery.started "
    "context.restored task.resumed checkpoint.saved task.completed";

TEST_CASE("a task is accepted, worked on, reported and completed, and its agent is free again") {
  Working set;
  set.Start();
  const Uuid task = set.HandOver(
      "Build it",
      {{Letta::Call("report_progress", R"({"summary":"begun","files_modified":["a.py"]})"),
        Letta::Call("write_file", R"({"path":"src/a.py","content":"x = 1"})"),
        Letta::Call("read_file", R"({"path":"src/a.py"})"),
        Letta::Call("read_file", R"({"path":"../secret"})"), Letta::Call("no_such_tool", "{}"),
        Letta::Call("complete_task",
                    R"({"summary":"built","artifacts":[{"type":"code","path":"src/a.py",)"
                    R"("status":"created"}],"next_action":"qa_review"})"),
        Letta::Say("Done.")}});
  REQUIRE(set.Await(task, "completed"));
  CHECK(set.Story(task) ==
        "handoff.accepted checkpoint.saved context.updated checkpoint.saved task.completed");
  CHECK(set.directory.Read(StrCat(task.ToString(), "/src/a.py")) == "x = 1");
  const std::vector<ToolResult> results = set.letta.Results("Build it");
  REQUIRE(results.size() == 6);
  CHECK(results[0].text == "noted");
  CHECK(results[2].text == "x = 1");
  CHECK(results[3].is_error);
  CHECK(results[4].is_error);
  const std::vector<std::string> inputs = set.letta.Inputs("Build it");
  REQUIRE(inputs.size() == 1);
  CHECK(inputs[0] == TaskInput(set.TaskOf(task)));
  CHECK(set.Count("letta_tool_calls WHERE ended_at IS NOT NULL") == 1);
  set.CheckRest();

  const std::string agent = set.TaskOf(task).agent_id;
  REQUIRE(Until([&] { return set.Count("letta_agents WHERE state = 'warm'") == 1; }));
  CHECK(set.letta.MemoryOf(agent) == BlankMemory("letta-python-dev"));
  const Uuid next = set.HandOver("Build more", {Letta::Complete()});
  REQUIRE(set.Await(next, "completed"));
  CHECK(set.TaskOf(next).agent_id == agent);
  CHECK(set.letta.Calls("CreateAgent") == 1);
  set.CheckRest();
}

TEST_CASE("a question pauses a task until it is answered, timed out or withdrawn") {
  Working set;
  set.Start();
  const Turn ask = {Letta::Call("ask_human", R"({"question":"Which?","default":"cookies"})"),
                    Letta::Say("I wait.")};
  const Turn ask_soon = {
      Letta::Call("ask_human", R"({"question":"Which?","default":"cookies","timeout_seconds":1})"),
      Letta::Say("I wait.")};
  const Uuid answered = set.HandOver("answered", {ask, Letta::Complete()});
  const Uuid timed_out = set.HandOver("timed out", {ask_soon, Letta::Complete()});
  const Uuid withdrawn = set.HandOver("withdrawn", {ask, Letta::Complete()});
  const Uuid cancelled = set.HandOver("cancelled", {ask});
  REQUIRE(set.Await(answered, "paused"));
  REQUIRE(set.Await(withdrawn, "paused"));
  REQUIRE(set.Await(cancelled, "paused"));
  set.AnswerTo(answered, "JWT");
  set.Take(MakeEnvelope("agent.feedback.withdrawn",
                        Json(StrCat("{'request_id':'",
                                    set.TaskOf(withdrawn).question->request_id.ToString(), "'}"))));
  set.Give(cancelled, Order::Kind::kCancel);
  REQUIRE(set.Await(answered, "completed"));
  REQUIRE(set.Await(timed_out, "completed"));
  REQUIRE(set.Await(withdrawn, "completed"));
  REQUIRE(set.Await(cancelled, "cancelled"));
  const std::string paused =
      "handoff.accepted checkpoint.saved feedback.requested checkpoint.saved session.paused ";
  const std::string goes_on = "session.resumed context.updated checkpoint.saved task.completed";
  CHECK(set.Story(answered) == paused + goes_on);
  CHECK(set.Story(timed_out) == paused + "feedback.timed_out " + goes_on);
  CHECK(set.Story(withdrawn) == paused + goes_on);
  CHECK(set.Story(cancelled) == paused + "feedback.withdrawn task.cancelled");
  CHECK_THAT(set.letta.Inputs("answered").at(1), Contains("JWT"));
  CHECK_THAT(set.letta.Inputs("timed out").at(1), Contains("cookies"));
  CHECK_THAT(set.letta.Inputs("withdrawn").at(1), Contains("withdrawn"));
  CHECK(set.Count("letta_questions WHERE status = 'pending'") == 0);
  // The conversation went on: its messages count on, too.
  CHECK(set.TaskOf(answered).checkpoint->message_count > 3);
  set.CheckRest();
}

TEST_CASE("a question is not timed out when its answer is in the log") {
  Working set;
  set.Start();
  const Uuid task = set.HandOver(
      "in time", {{Letta::Call("ask_human",
                               R"({"question":"Which?","default":"cookies","timeout_seconds":1})")},
                  Letta::Complete()});
  REQUIRE(set.Await(task, "paused"));
  const event::Envelope answer =
      MakeEnvelope(kAnswer, Json("{'decision':'JWT'}"), {set.TaskOf(task).question->request_id});
  set.Store(answer);
  REQUIRE(Until([&] { return set.Count("letta_questions WHERE answer_by < now()") == 1; }));
  Stop().WaitFor(absl::Milliseconds(1200));
  CHECK(set.StatusOf(task) == "paused");
  set.React(answer);
  set.scheduler->Wake();
  REQUIRE(set.Await(task, "completed"));
  CHECK_THAT(set.letta.Inputs("in time").at(1), Contains("JWT"));
  set.CheckRest();
}

TEST_CASE("a resumption that was asked for before a pause does not undo it") {
  Working set;
  set.Start();
  const Uuid task = set.HandOver("paused", {{Letta::Say("thinking"), Letta::Hang()}});
  REQUIRE(set.Await(task, "active"));
  REQUIRE(Until([&] { return set.letta.Inputs("paused").size() == 1; }));
  set.Give(task, Order::Kind::kResume);
  Stop().WaitFor(absl::Milliseconds(300));
  CHECK(set.StatusOf(task) == "active");
  CHECK(set.letta.Calls("Abort") == 0);
  set.Give(task, Order::Kind::kPause);
  REQUIRE(set.Await(task, "paused"));
  Stop().WaitFor(absl::Milliseconds(300));
  CHECK(set.StatusOf(task) == "paused");
  set.CheckRest();
}

TEST_CASE("a task does what people order: pause, resume, save, cancel") {
  Working set;
  set.Start();
  const Turn hang = {Letta::Say("thinking"), Letta::Hang()};
  const Uuid paused = set.HandOver("paused", {hang, Letta::Complete()});
  const Uuid saved =
      set.HandOver("saved", {{Letta::Call("slow", "{}"), Letta::Say("Thinking"), Letta::Hang()}});
  const Uuid cancelled = set.HandOver("cancelled", {hang});
  for (const Uuid& task : {paused, saved, cancelled}) REQUIRE(set.Await(task, "active"));
  set.Give(paused, Order::Kind::kPause);
  set.Give(cancelled, Order::Kind::kCancel);
  REQUIRE(set.Await(paused, "paused"));
  REQUIRE(set.Await(cancelled, "cancelled"));
  CHECK(set.Reason(paused) == "requested");
  CHECK(set.Reason(cancelled) == "so it is");
  set.Give(paused, Order::Kind::kResume);
  REQUIRE(set.Await(paused, "completed"));
  CHECK(set.Story(paused) ==
        "handoff.accepted checkpoint.saved checkpoint.saved session.paused session.resumed "
        "checkpoint.saved task.completed");
  CHECK(set.letta.Inputs("paused").at(1) == GoOnInput());
  set.Give(saved, Order::Kind::kCheckpoint);
  set.Give(saved, Order::Kind::kPause);
  REQUIRE(set.Await(saved, "paused"));
  set.Give(saved, Order::Kind::kCancel);
  REQUIRE(set.Await(saved, "cancelled"));
  set.CheckRest();
}

TEST_CASE("whatever connection is lost, a task is completed once") {
  Working set;
  set.settings.most_runs = 64;
  set.settings.agents_per_type = 64;
  set.Start();
  std::vector<Uuid> tasks;
  const Turn work = {Letta::Call("write_file", R"({"path":"a","content":"x"})"),
                     Letta::Call("complete_task", R"({"summary":"built"})"), Letta::Say("Done.")};
  for (const char* method :
       {"CreateAgent", "Open", "WriteMemory", "Send", "Messages", "ReadMemory", "Answer"}) {
    const std::string key = StrCat("lost in ", method);
    set.letta.FailNext(method, key, Letta::Away());
    tasks.push_back(set.HandOver(key, {work, work, work}));
  }
  const Uuid goes_on = set.HandOver("goes on", {{Letta::Lose(), Letta::Hang()}});
  const Uuid dies = set.HandOver("dies", {{Letta::Call("list_files", "{}"), Letta::Die()}});
  const Uuid forks = set.HandOver("forks", {{Letta::Die()}});
  set.letta.FailNext("Fork", "forks", Letta::Away(), 2);
  tasks.insert(tasks.end(), {goes_on, dies, forks});
  for (const Uuid& task : tasks) {
    INFO(set.TaskOf(task).request.description);
    CHECK(set.Await(task, "completed"));
    CHECK(set.Count(StrCat("events WHERE event_type = 'agent.letta.task.completed' AND "
                           "payload::text LIKE '%",
                           task.ToString(), "%'")) == 1);
    CHECK(set.Count(StrCat("events WHERE event_type = 'agent.handoff.accepted' AND "
                           "payload::text LIKE '%",
                           task.ToString(), "%'")) == 1);
  }
  CHECK(set.Story(dies) == kRecovered);
  CHECK(set.letta.Inputs("dies").size() == 2);
  CHECK_THAT(set.letta.Inputs("dies").at(1), Contains("interrupted"));
  CHECK(set.Story(goes_on) == kWhole);
  set.CheckRest();
}

TEST_CASE("what can't go on is recovered, as often as there is hope, or blocked with the reason") {
  Working set;
  set.settings.stall = absl::Seconds(1);
  set.settings.most_recoveries = 2;
  set.settings.agents_per_type = 64;
  set.Start();
  const Uuid failing =
      set.HandOver("failing", {{Letta::Fail()}, {Letta::Fail()}, {Letta::Fail()}, {Letta::Fail()}});
  const Uuid recovers_model = set.HandOver("fails once", {{Letta::Fail()}, Letta::Complete()});
  const Uuid stalled = set.HandOver("stalled", {{Letta::Hang()}, Letta::Complete()});
  const std::vector<Turn> dying(10, Turn{Letta::Die()});
  const Uuid hopeless = set.HandOver("hopeless", dying);
  const Uuid silent = set.HandOver(
      "silent", {{Letta::Say("hm")}, {Letta::Say("hm")}, {Letta::Say("my last words")}});
  const Uuid nudged = set.HandOver("nudged", {{Letta::Say("hm")}, Letta::Complete()});
  const Uuid blocked = set.HandOver(
      "blocked", {{Letta::Call("report_blocked", R"({"reason":"no key","needs":"a key"})")}});
  CHECK(set.Await(stalled, "completed"));
  CHECK(set.Story(stalled) == kRecovered);
  CHECK(set.Await(hopeless, "blocked"));
  CHECK(set.Reason(hopeless) == "recovery_limit");
  CHECK(set.Await(silent, "blocked"));
  CHECK(set.Reason(silent) == "no_outcome");
  CHECK(set.letta.Inputs("silent").at(1) == NudgeInput());
  CHECK(set.Await(nudged, "completed"));
  CHECK(set.Await(blocked, "blocked"));
  CHECK(set.Reason(blocked) == "no key");
  CHECK(set.Await(recovers_model, "completed"));
  CHECK(set.Await(failing, "blocked"));
  CHECK_THAT(set.Reason(failing), Contains("model_failed") && Contains("no model"));
  set.CheckRest();
}

TEST_CASE("where recovery is switched off, a failed session blocks its task") {
  Working set;
  set.settings.recovery = false;
  const Uuid left = set.HandOver("left", {});
  // As a bridge leaves it that was lost after the acceptance.
  {
    auto claim = set.Claim(left, "bridge-0");
    Stop stop;
    HeldTask held(claim->claim->lease, claim->claim->task, set.pool, set.factory, set.ids, stop);
    REQUIRE(held.Step([&](pg::Connection& connection, TaskEvents& events) {
                  events.Accept({.id = NewId(),
                                 .instance_id = claim->claim->agent.instance_id,
                                 .agent_id = "agent-gone",
                                 .conversation_id = "conv-gone"},
                                "c-0");
                  events.SaveCheckpoint({.id = "c-0",
                                         .type = "initial",
                                         .agent_id = "agent-gone",
                                         .conversation_id = "conv-gone",
                                         .memory_digest = *KeepMemory(connection, {})});
                  return absl::OkStatus();
                })
                .ok());
    set.MustExecute("UPDATE letta_leases SET expires_at = now() - interval '1 s'");
  }
  set.Start();
  const Uuid dies = set.HandOver("dies", {{Letta::Die()}});
  for (const Uuid& task : {dies, left}) {
    CHECK(set.Await(task, "blocked"));
    CHECK(set.Reason(task) == "recovery_disabled");
    CHECK(set.Story(task) == "handoff.accepted checkpoint.saved session.failed task.blocked");
  }
  set.CheckRest();
}

TEST_CASE("a bridge that was lost is followed by another one, in a conversation of its own") {
  Working set;
  set.Start();
  const Uuid task =
      set.HandOver("taken over", {{Letta::Say("begun"), Letta::Hang()}, Letta::Complete()});
  REQUIRE(set.Await(task, "active"));
  const std::string before = set.TaskOf(task).conversation_id;
  REQUIRE(Until([&] { return set.letta.Inputs("taken over").size() == 1; }));
  // Stops; whoever comes next goes on.
  set.scheduler.reset();
  CHECK(set.StatusOf(task) == "active");
  set.Start();
  REQUIRE(set.Await(task, "completed"));
  CHECK(set.Story(task) == kRecovered);
  CHECK(set.TaskOf(task).conversation_id != before);
  CHECK(set.Number(
            StrCat("SELECT epoch FROM letta_leases WHERE task_id = '", task.ToString(), "'")) == 2);
  CHECK(set.Count("letta_sessions") == 2);
  set.CheckRest();
}

TEST_CASE("tasks wait for a free agent, for Letta, and no longer than their deadline") {
  Working set;
  set.settings.agents_per_type = 1;
  set.letta.SetUp(false);
  set.Start();
  const Uuid first = set.HandOver("first", {{Letta::Hang()}}, ",'priority':'high'");
  Stop().WaitFor(absl::Milliseconds(300));
  CHECK(set.StatusOf(first) == "waiting");
  CHECK(set.letta.Calls("CreateAgent") == 0);
  CHECK_THAT(set.health.ToJson(), Contains("away"));
  set.letta.SetUp(true);
  REQUIRE(set.Await(first, "active"));

  const std::string soon =
      StrCat(",'deadline':'",
             absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", set.clock.Now() + absl::Milliseconds(1500),
                              absl::UTCTimeZone()),
             "'");
  const Uuid late = set.HandOver("late", {}, soon);
  const Uuid second = set.HandOver("second", {Letta::Complete()});
  const Uuid waiting = set.HandOver("cancelled while it waits", {});
  set.Give(waiting, Order::Kind::kCancel);
  CHECK(set.Await(waiting, "cancelled"));
  CHECK(set.Await(late, "rejected"));
  CHECK(set.Reason(late) == "deadline_passed");
  CHECK(set.StatusOf(second) == "waiting");
  set.Give(first, Order::Kind::kCancel);
  CHECK(set.Await(second, "completed"));
  CHECK(set.letta.Calls("CreateAgent") == 1);
  set.CheckRest();
}

TEST_CASE("an agent that Letta knows no more is made anew; one that can't be reached is not") {
  Working set;
  set.Start();
  const Turn ask = {Letta::Call("ask_human", R"({"question":"Which?"})")};
  const Uuid gone = set.HandOver("gone", {ask, Letta::Complete()});
  const Uuid away = set.HandOver("away", {ask, Letta::Complete()});
  REQUIRE(set.Await(gone, "paused"));
  REQUIRE(set.Await(away, "paused"));
  set.letta.Forget(set.TaskOf(gone).agent_id);
  set.letta.FailNext("WriteMemory", "away", Letta::Away());
  const std::string agent = set.TaskOf(away).agent_id;
  set.AnswerTo(gone, "JWT");
  set.AnswerTo(away, "JWT");
  REQUIRE(set.Await(gone, "completed"));
  REQUIRE(set.Await(away, "completed"));
  CHECK(set.letta.Calls("CreateAgent") == 3);
  CHECK(set.TaskOf(away).agent_id == agent);
  // The new one is told all: the task and the answer.
  CHECK_THAT(set.letta.Inputs("gone").at(1), Contains("bmad-architect") && Contains("JWT"));
  set.CheckRest();
}

TEST_CASE("a caller's agent keeps its memory, and does the tasks that name it") {
  Working set;
  const std::string id = *set.letta.CreateAgent(
      {.name = "mine", .memory = {{.path = "system/persona.md", .content = "I am mine"}}});
  const auto connection = TestDatabase::Connect(Working::Database());
  REQUIRE(InsertOwnAgent(*connection,
                         {.agent_id = id,
                          .instance_id = "letta-cobol-dev-001",
                          .agent_type = "letta-cobol-dev",
                          .project = "",
                          .own = true},
                         "{}")
              .ok());
  set.Start();
  set.letta.Follow("for mine", {Letta::Complete()});
  const Uuid task = set.Take(MakeHandoff(
      StrCat(",'task_description':'for mine','agent_id':'", id, "'"), {}, "letta-cobol-dev"));
  set.scheduler->Wake();
  REQUIRE(set.Await(task, "completed"));
  CHECK(set.TaskOf(task).agent_id == id);
  CHECK(set.letta.MemoryOf(id).front().content == "I am mine");
  CHECK(set.letta.Calls("CreateAgent") == 1);

  const Uuid nobodys = set.HandOver("for nobody", {}, ",'agent_id':'agent-none'");
  CHECK(set.Await(nobodys, "rejected"));
  CHECK(set.Reason(nobodys) == "unknown_agent");
  set.CheckRest();
}

}  // namespace
}  // namespace god33::letta
