#include "services/letta-bridge/reactions.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/stop.h"
#include "eventlog/append.h"
#include "services/letta-bridge/held_task.h"
#include "services/letta-bridge/questions.h"
#include "tests/integration/bridging.h"

// What becomes of hand-offs, questions and answers.

namespace god33::letta {
namespace {

using testing::Bridging;
using testing::Json;
using testing::kAnswer;
using testing::kHandoff;
using testing::MakeEnvelope;
using testing::MakeHandoff;
using testing::NewId;
using testing::TestDatabase;

constexpr char kRejected[] = "agent.handoff.rejected";

// The one event of the type, whose only parent is `parent`: a member of its payload.
std::string MemberOf(const Bridging& set, const std::string& type, const Uuid& parent,
                     const std::string& member) {
  const std::string which =
      StrCat("events WHERE event_type = '", type, "' AND correlation_ids = ARRAY['",
             parent.ToString(), "'::uuid]");
  REQUIRE(set.Count(which) == 1);
  return set.Text(StrCat("SELECT payload ->> '", member, "' FROM ", which));
}

TEST_CASE("a hand-off becomes a task that waits, and nothing is decided on") {
  Bridging set;
  const event::Envelope handoff = MakeHandoff(",'priority':'high'");
  set.Take(handoff);
  CHECK(set.StatusOf(handoff.id) == "waiting");
  CHECK(set.Count("events") == 1);
  CHECK(set.Count("letta_tasks WHERE priority = 1 AND NOT ready") == 1);
  CHECK(set.metrics.handoffs_taken.Value() == 1);
  set.CheckStates();
}

TEST_CASE("a hand-off that is published again under its key is the same one") {
  Bridging set;
  const std::string key = ",'idempotency_key':'login-1'";
  const Uuid first = set.Take(MakeHandoff(key));
  const Uuid again = set.Take(MakeHandoff(key));
  CHECK(set.StatusOf(first) == "waiting");
  CHECK(set.StatusOf(again) == "none");
  CHECK(set.Count("letta_tasks") == 1);
  CHECK(set.metrics.handoffs_repeated.Value() == 1);

  // Keys are their sender's.
  event::Envelope others = MakeHandoff(key);
  others.payload.replace(others.payload.find("bmad-architect"), 14, "bmad-pm");
  set.Take(others);
  CHECK(set.Count("letta_tasks") == 2);
  set.Take(MakeHandoff());
  set.Take(MakeHandoff());
  CHECK(set.Count("letta_tasks") == 4);
}

TEST_CASE("what can't be taken is rejected, with the request as its only cause") {
  Bridging set;
  const auto rejected = [&set](const event::Envelope& handoff, const std::string& reason) {
    CAPTURE(handoff.payload);
    set.Take(handoff);
    CHECK(set.StatusOf(handoff.id) == "rejected");
    CHECK(MemberOf(set, kRejected, handoff.id, "reason") == reason);
    CHECK(MemberOf(set, kRejected, handoff.id, "task_id") == handoff.id.ToString());
    CHECK_FALSE(MemberOf(set, kRejected, handoff.id, "detail").empty());
  };
  rejected(MakeHandoff("", {}, "letta-cobol-dev"), "unknown_agent");
  rejected(MakeHandoff(",'deadline':'2020-01-01T00:00:00Z'"), "deadline_passed");
  rejected(MakeHandoff(",'deadline':'soon'"), "invalid_payload");
  rejected(MakeEnvelope(kHandoff, Json("{'to_agent':'letta-python-dev'}")), "invalid_payload");
  rejected(MakeEnvelope(kHandoff, Json("{'to_agent':'letta-python-dev','workflow_id':7}")),
           "invalid_payload");
  rejected(MakeHandoff("", {}, "letta-python-dev\\u0000"), "invalid_payload");
  rejected(MakeHandoff(",'from_agent':'a\\u0000b'"), "invalid_payload");
  rejected(MakeHandoff(StrCat(",'idempotency_key':'", std::string(300, 'k'), "'")),
           "invalid_payload");
  CHECK(set.metrics.handoffs_rejected.Value() == 8);
  CHECK(set.Count("letta_handoff_keys") == 0);
  set.CheckStates();
}

TEST_CASE("only what means the bridge concerns it") {
  Bridging set;
  CHECK(set.reactions.Concerns(MakeHandoff()));
  CHECK_FALSE(set.reactions.Concerns(MakeHandoff("", {}, "director-of-engineering")));
  CHECK_FALSE(set.reactions.Concerns(MakeEnvelope(kHandoff)));
  CHECK(set.reactions.Concerns(MakeEnvelope(kAnswer)));
}

TEST_CASE("agents that hand a task back and forth are stopped") {
  Bridging set;
  std::vector<Uuid> causes;
  for (int i = 0; i < 8; ++i) {
    const event::Envelope handoff = MakeHandoff(",'context':{'text':'\\u0000\\ud800'}", causes,
                                                i % 2 == 0 ? "letta-python-dev" : "letta-qa");
    set.Take(handoff);
    CAPTURE(i);
    CHECK(set.StatusOf(handoff.id) == (i < 6 ? "waiting" : "rejected"));
    if (i >= 6) CHECK(MemberOf(set, kRejected, handoff.id, "reason") == "delegation_loop");
    // What happened in between is a cause, too, and the same hand-off counts once.
    const event::Envelope between = MakeEnvelope("some.work.done", "{}", {handoff.id});
    set.Store(between);
    causes = {handoff.id, between.id};
  }
  // Another chain is another matter.
  CHECK(set.StatusOf(set.Take(MakeHandoff())) == "waiting");
}

TEST_CASE("texts that PostgreSQL's text can't hold are kept as they came") {
  Bridging set;
  const Uuid task = set.Take(MakeHandoff(
      ",'task_type':'a\\u0000b','context':{'\\u0000':'\\ud800'},'agent_id':'x\\u0000'"));
  CHECK(set.StatusOf(task) == "waiting");
  CHECK(set.TaskOf(task).request.context == R"({"\u0000":"\ud800"})");
  set.CheckStates();
}

// ---- Questions and answers.

struct Asking : Bridging {
  // A task whose agent has asked.
  explicit Asking(std::optional<absl::Time> answer_by = std::nullopt) {
    HeldTask held(Claim(task, "a")->claim->lease, TaskOf(task), pool, factory, ids, stop);
    const absl::Status status = held.Step([&](pg::Connection&, TaskEvents& events) {
      const Uuid session = ids.New();
      events.Accept({.id = session,
                     .instance_id = "letta-python-dev-001",
                     .agent_id = "agent-1",
                     .conversation_id = "conv-1"},
                    "c-0");
      events.SaveCheckpoint(Record("initial"));
      events.Ask({.question = "Which?", .fallback = "a", .answer_by = answer_by},
                 Record("pre-feedback"));
      return absl::OkStatus();
    });
    INFO(status);
    REQUIRE(status.ok());
    request = held.task().question->request_id;
  }
  CheckpointRecord Record(const std::string& type) {
    return {.id = ids.New().ToString(),
            .type = type,
            .agent_id = "agent-1",
            .conversation_id = "conv-1",
            .memory_digest = "d"};
  }
  event::Envelope Answer(const std::string& decision) const {
    return MakeEnvelope(kAnswer, Json(StrCat("{'decision':'", decision, "'}")), {request});
  }
  event::Envelope NamedAnswer(const std::string& decision) const {
    return MakeEnvelope(kAnswer, Json(StrCat("{'request_id':'", request.ToString(),
                                             "','response':'", decision, "'}")));
  }
  std::string Question(const std::string& column) const {
    return Text(StrCat("SELECT coalesce(", column,
                       "::text, '') FROM letta_questions WHERE "
                       "request_id = '",
                       request.ToString(), "'"));
  }

  Stop stop;
  const Uuid task = Take(MakeHandoff());
  Uuid request;
};

TEST_CASE("an answer settles its question and lets the task go on") {
  Asking set;
  CHECK(set.Question("status") == "pending");
  CHECK(set.Count("letta_tasks WHERE ready") == 0);
  const Uuid answer = set.Take(set.Answer("JWT"));
  CHECK(set.Question("status") == "answered");
  CHECK(set.Question("answer") == "JWT");
  CHECK(set.Question("settled_by") == answer.ToString());
  CHECK(set.Count("letta_tasks WHERE ready AND status = 'paused'") == 1);
  CHECK(set.TaskOf(set.task).question->answer == "JWT");
  set.CheckStates();
}

TEST_CASE("of several answers the first in the log wins, whichever is handled first") {
  const bool first_is_named = GENERATE(false, true);
  const bool second_is_named = GENERATE(false, true);
  CAPTURE(first_is_named, second_is_named);
  Asking set;
  const event::Envelope first = first_is_named ? set.NamedAnswer("one") : set.Answer("one");
  const event::Envelope second = second_is_named ? set.NamedAnswer("two") : set.Answer("two");
  set.Store(first);
  set.Store(second);
  set.React(second);
  CHECK(set.Question("settled_by") == first.id.ToString());
  CHECK(set.Question("answer") == "one");
  set.React(first);
  set.Take(set.Answer("three"));
  CHECK(set.Question("answer") == "one");
  CHECK(set.TaskOf(set.task).question->answer == "one");
  CHECK(set.Count("letta_late_answers") == 2);
  CHECK(set.Count(StrCat("letta_late_answers WHERE event_id = '", second.id.ToString(), "'")) == 1);
  set.CheckStates();
}

TEST_CASE("a question is found by its agent when an answer names no more") {
  Asking set;
  set.Take(MakeEnvelope(kAnswer, Json("{'agent_id':'letta-python-dev','response':'yes'}")));
  CHECK(set.Question("answer") == "yes");
}

TEST_CASE("an answer to nothing that is known changes nothing") {
  Asking set;
  set.Take(MakeEnvelope(kAnswer, Json("{'decision':'x'}"), {NewId()}));
  set.Take(MakeEnvelope(kAnswer, Json("{'decision':'x'}")));
  set.Take(MakeEnvelope(kAnswer, Json("{'decision':'x','agent_id':'a\\u0000'}")));
  set.Take(MakeEnvelope(kAnswer, Json("{'decision':'x','request_id':'no id'}")));
  set.Take(MakeEnvelope(kAnswer, Json("{}"), {set.task}));
  CHECK(set.Question("status") == "pending");
  CHECK(set.Count("letta_late_answers") == 0);
}

TEST_CASE("a question that is withdrawn needs no answer, and a later one is late") {
  Asking set;
  const Uuid withdrawal = set.Take(MakeEnvelope(
      "agent.feedback.withdrawn", Json(StrCat("{'request_id':'", set.request.ToString(), "'}"))));
  CHECK(set.Question("status") == "withdrawn");
  CHECK(set.TaskOf(set.task).question->settled_by == withdrawal);
  CHECK(set.Count("letta_tasks WHERE ready") == 1);
  set.Take(set.Answer("too late"));
  CHECK(set.Count("letta_late_answers") == 1);
  CHECK(set.Question("status") == "withdrawn");
  set.CheckStates();
}

TEST_CASE("an answer may hold any text") {
  Asking set;
  set.Take(set.Answer("a\\u0000b\\ud800"));
  CHECK(set.Question("status") == "answered");
  CHECK(set.Question("answer") ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD");
  set.CheckStates();
}

TEST_CASE("a question whose time is over is due, unless an answer is in the log") {
  Asking set(absl::FromUnixSeconds(1769508000));
  const auto connection = TestDatabase::Connect(Asking::Database());
  const auto due = DueQuestions(*connection);
  REQUIRE(due->size() == 1);
  CHECK(due->front().request_id == set.request);
  CHECK(*DefaultOf(*connection, set.request) == "a");
  CHECK_FALSE(*FirstAnswer(*connection, set.request));
  const event::Envelope answer = set.NamedAnswer("b");
  set.Store(answer);
  CHECK((*FirstAnswer(*connection, set.request))->event_id == answer.id);
  set.React(answer);
  CHECK(DueQuestions(*connection)->empty());
}

TEST_CASE("questions of other agents are listed, in either vocabulary, and answered") {
  Bridging set;
  event::Envelope asked =
      MakeEnvelope("agent.feedback.requested", Json("{'agent_id':'planner','message':'When?'}"));
  set.Take(asked);
  CHECK(set.Count("letta_questions WHERE status = 'pending' AND task_id IS NULL AND "
                  "agent = 'planner' AND answer_by IS NULL") == 1);
  set.Take(MakeEnvelope(kAnswer, Json("{'agent_id':'planner','response':'Now'}")));
  CHECK(set.Count("letta_questions WHERE status = 'answered' AND answer = 'Now'") == 1);
}

}  // namespace
}  // namespace god33::letta
