#include "event/summary.h"

#include <catch2/catch.hpp>

#include "base/strings.h"
#include "json/text.h"
#include "testing/json_tree.h"
#include "wire/registry.h"

namespace god33::event {
namespace {

std::string SummaryOf(const std::string& type, const std::string& payload) {
  Envelope envelope;
  envelope.type = type;
  envelope.payload = payload;
  return Summarize(envelope);
}

TEST_CASE("a summary says what the payload of a known type says") {
  CHECK(SummaryOf("bmad.workflow.started", R"({"project_name":"shop","phase":"planning"})") ==
        "Workflow initiated for project shop, beginning with planning");
  CHECK(SummaryOf("bmad.workflow.phase.completed",
                  R"({"phase":"analysis","next_phase":"planning"})") ==
        "Phase analysis completed, next is planning");
  CHECK(SummaryOf("bmad.workflow.handoff.requested",
                  R"({"from_agent":"bmad-architect","to_agent":"letta-python-dev",)"
                  R"("task_description":"Write the login page","priority":"high"})") ==
        "bmad-architect hands a task over to letta-python-dev: Write the login page "
        "(priority high)");
  CHECK(SummaryOf("agent.handoff.requested", R"({"from_agent":"a","to_agent":"b","task":"t"})") ==
        "a hands a task over to b: t");
  CHECK(SummaryOf("bmad.workflow.validation.requested",
                  R"({"from_agent":"bmad-qa","target_agent":"letta-dev"})") ==
        "bmad-qa asks for a review of the work of letta-dev");
  CHECK(SummaryOf("bmad.workflow.completed", R"({"summary":"shipped"})") ==
        "Workflow completed: shipped");
  CHECK(SummaryOf("agent.handoff.accepted",
                  R"({"agent_type":"letta","accepted_from":"bmad-architect","session_id":"s"})") ==
        "letta took the task over from bmad-architect, session s");
  CHECK(SummaryOf("agent.handoff.rejected",
                  R"({"to_agent":"letta-x","reason":"unknown_agent","detail":"no such agent"})") ==
        "The task was not taken over by letta-x: unknown_agent (no such agent)");
  CHECK(
      SummaryOf("agent.letta.checkpoint.saved",
                R"({"checkpoint_id":"c1","checkpoint_type":"milestone","summary":"half done"})") ==
      "Checkpoint c1 saved (milestone): half done");
  CHECK(SummaryOf("agent.letta.checkpoint.saved",
                  R"({"checkpoint_id":"c1","context_snapshot":{"current_focus":"tests"}})") ==
        "Checkpoint c1 saved: tests");
  CHECK(SummaryOf("agent.letta.task.completed",
                  R"({"summary":"login","artifacts":[{},{}],"validation":{"tests_passed":true,)"
                  R"("lint_passed":false,"coverage_pct":87.5},"next_action":"qa_review"})") ==
        "Task completed: login; 2 artifacts; tests passed; lint failed; coverage 87.5 %; "
        "next is qa_review");
  CHECK(SummaryOf("agent.letta.task.blocked", R"({"reason":"no key","needs":"a key"})") ==
        "Blocked: no key; needs a key");
  CHECK(SummaryOf("agent.letta.session.failed", R"({"failure_reason":"out of memory"})") ==
        "Session failed: out of memory");
  CHECK(SummaryOf("agent.letta.session.failed",
                  R"({"failure_reason":"connection_timeout","detail":"silent for 30 s"})") ==
        "Session failed: connection_timeout (silent for 30 s)");
  CHECK(SummaryOf("agent.letta.session.paused", R"({"reason":"lunch"})") ==
        "Session paused: lunch");
  CHECK(SummaryOf("agent.letta.session.resumed", R"({"checkpoint_id":"c3"})") ==
        "Session resumed from checkpoint c3");
  CHECK(SummaryOf("agent.letta.session.resumed", R"({"resuming_from_checkpoint":"c4"})") ==
        "Session resumed from checkpoint c4");
  CHECK(SummaryOf("agent.letta.session.recovery.started",
                  R"({"recovering_from_checkpoint":"c9","new_session_id":"n"})") ==
        "Recovery started from checkpoint c9, in session n");
  CHECK(SummaryOf("agent.letta.context.restored", R"({"checkpoint_id":"c9"})") ==
        "Context restored from checkpoint c9");
  CHECK(SummaryOf("agent.letta.context.updated", R"({"decision_incorporated":"use JWT"})") ==
        "Context updated: use JWT");
  CHECK(SummaryOf("agent.letta.task.resumed", R"({"resuming_from":"c9"})") ==
        "Task resumed from checkpoint c9");
  CHECK(SummaryOf("agent.letta.task.cancelled", R"({"cancelled_by":"ada","reason":"dropped"})") ==
        "Task called off by ada: dropped");
}

TEST_CASE("questions and answers are summarized in both vocabularies") {
  CHECK(
      SummaryOf("agent.feedback.requested",
                R"({"from_agent":"letta-dev","question":"JWT?","deadline":"2027-01-01T00:00Z"})") ==
      "letta-dev asks: JWT? (answer by 2027-01-01T00:00Z)");
  CHECK(SummaryOf("agent.feedback.requested", R"({"agent_id":"a-1","message":"JWT?"})") ==
        "a-1 asks: JWT?");
  CHECK(SummaryOf("agent.feedback.response",
                  R"({"responder":"ada","decision":"JWT","rationale":"simpler"})") ==
        "Answered by ada: JWT (simpler)");
  CHECK(SummaryOf("agent.feedback.response", R"({"agent_id":"a-1","response":"JWT"})") ==
        "Answered: JWT");
  CHECK(SummaryOf("agent.feedback.withdrawn", R"({"reason":"called off"})") ==
        "Question withdrawn: called off");
  CHECK(SummaryOf("agent.feedback.timed_out", R"({"decision":"JWT"})") ==
        "Nobody answered in time; the default counts: JWT");
}

TEST_CASE("every registered type has a summary of its own, also when its payload is empty") {
  const wire::PayloadRegistry registry;
  REQUIRE(registry.entries().size() >= 23);
  for (const auto& [type, entry] : registry.entries()) {
    CAPTURE(type);
    const std::string summary = SummaryOf(type, "{}");
    CHECK_FALSE(summary.empty());
    // The one for any type would show this field.
    CHECK(SummaryOf(type, R"({"title":"of no schema"})") == summary);
  }
}

TEST_CASE("an unknown type is summarized by its name and a field that tells something") {
  CHECK(SummaryOf("fireflies.transcript.ready", R"({"title":"Stand-up","id":1})") ==
        "Fireflies transcript ready: Stand-up");
  CHECK(SummaryOf("a.build_failed", R"({"error":3})") == "A build failed: 3");
  CHECK(SummaryOf("a.b", R"({"summary":null,"message":{},"text":"x"})") == "A b: x");
  CHECK(SummaryOf("a.b", "{}") == "A b");
}

TEST_CASE("a field of an unexpected kind is left out") {
  CHECK(SummaryOf("bmad.workflow.started", R"({"project_name":["x"],"phase":{}})") ==
        "Workflow initiated");
  CHECK(SummaryOf("agent.letta.task.completed",
                  R"({"artifacts":7,"validation":"none","summary":null})") == "Task completed");
  CHECK(SummaryOf("bmad.workflow.handoff.requested", "{}") == "An agent hands a task over");
}

TEST_CASE("who acts stands in for a name that the payload lacks") {
  Envelope envelope;
  envelope.type = "bmad.workflow.handoff.requested";
  envelope.payload = "{}";
  envelope.agent_context = AgentContext{.type = "bmad-architect"};
  CHECK(Summarize(envelope) == "bmad-architect hands a task over");
  envelope.agent_context->name = "";
  CHECK(Summarize(envelope) == "bmad-architect hands a task over");
  envelope.agent_context->name = "Ada";
  CHECK(Summarize(envelope) == "Ada hands a task over");
}

TEST_CASE("a summary is one line without anything that acts on a terminal") {
  CHECK(SummaryOf("a.b", R"({"summary":" one\n\ttwo\u0000\u001b[31m\u0085\u2028\u202ethree "})") ==
        "A b: one two\xEF\xBF\xBD [31m three");
  CHECK(SummaryOf("a.b", R"({"summary":"\ud800 half a pair"})") == "A b: \xEF\xBF\xBD half a pair");
  CHECK(SummaryOf("a.b", R"({"summary":"\n","message":"x"})") == "A b: x");
}

// By hand, so that a slip in the ranges shows: each mark that turns the reading direction or ends a line, and
// its neighbours, which only show something.
TEST_CASE("marks of direction become blanks, what is beside them stays") {
  for (const char* mark :
       {"\u061C", "\u200E", "\u200F", "\u2028", "\u2029", "\u202A", "\u202B", "\u202C", "\u202D",
        "\u202E", "\u2066", "\u2067", "\u2068", "\u2069", "\u007F"}) {
    CAPTURE(mark);
    CHECK(SummaryOf("a.b", StrCat(R"({"summary":"x)", mark, R"(y"})")) == "A b: x y");
  }
  for (const char* sign : {"\u061B", "\u061D", "\u200D", "\u2010", "\u2027", "\u202F", "\u2065",
                           "\u206A", "\u2126", "\u0660"}) {
    CAPTURE(sign);
    CHECK(SummaryOf("a.b", StrCat(R"({"summary":"x)", sign, R"(y"})")) ==
          StrCat("A b: x", sign, "y"));
  }
}

TEST_CASE("a long summary is cut between characters and says so") {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "ä";
  const std::string summary = SummaryOf("a.b", StrCat("{\"summary\":\"", text, "\"}"));
  CHECK(CountCharacters(summary) == kMaxSummary);
  CHECK(json::ValidPrefix(summary) == summary.size());
  CHECK(summary.ends_with("ä…"));
  const std::string full(kMaxSummary - 5, 'x');
  CHECK(SummaryOf("a.b", StrCat("{\"summary\":\"", full, "\"}")) == "A b: " + full);
}

bool IsOneSafeLine(const std::string& text) {
  if (json::ValidPrefix(text) != text.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 = byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte < 0x20 || byte == 0x7F || c1) return false;
  }
  return text.find("\u2028") == std::string::npos && text.find("\u2029") == std::string::npos &&
         text.find("\u202E") == std::string::npos;
}

TEST_CASE("whatever a payload holds, its summary is one short safe line") {
  using testing::JsonTree;
  testing::Random random(21);
  std::vector<std::string> types = {"some.thing", "agent.letta.session.failed", "x"};
  const wire::PayloadRegistry registry;
  for (const auto& [type, entry] : registry.entries()) types.push_back(type);
  const std::vector<std::string> keys = {
      "project_name", "phase",     "from_agent",    "to_agent",       "task",
      "reason",       "summary",   "checkpoint_id", "failure_reason", "validation",
      "needs",        "artifacts", "message",       "agent_type",     "context_snapshot"};
  for (int round = 0; round < 5000; ++round) {
    JsonTree payload = testing::RandomJsonObject(random);
    for (std::size_t i = random.Below(6); i > 0; --i) {
      const std::string& key = random.Pick(keys);
      JsonTree value = testing::RandomJson(random);
      if (random.OneIn(2)) {
        value = {.kind = JsonTree::Kind::kString};
        for (std::size_t n = random.Below(200); n > 0; --n) {
          value.units += testing::RandomUnits(random);
        }
      }
      payload.members.push_back({{key.begin(), key.end()}, value});
    }
    const std::string type = random.Pick(types);
    const std::string summary = SummaryOf(type, testing::WriteJsonTree(random, payload));
    CAPTURE(round, type, summary);
    REQUIRE_FALSE(summary.empty());
    REQUIRE(CountCharacters(summary) <= kMaxSummary);
    REQUIRE(IsOneSafeLine(summary));
  }
}

}  // namespace
}  // namespace god33::event
