#include "services/letta-bridge/request.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "testing/json_tree.h"
#include "unit/letta_bridge/story.h"
#include "unit/printers.h"
#include "wire/registry.h"

namespace god33::letta {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1769508000);

// As a hand-off comes from the bus: checked against its schema first.
absl::StatusOr<Request> ReadPayload(const std::string& payload) {
  static const wire::PayloadRegistry registry;
  return ReadRequest(payload, registry.Check("bmad.workflow.handoff.requested", payload));
}

absl::StatusOr<Request> Read(const std::string& members) {
  return ReadPayload(Json(StrCat("{", members, "}")));
}

std::string Handoff(const std::string& more = "") {
  return StrCat(IdMember("workflow_id", kWorkflow),
                ",'from_agent':'bmad-architect','to_agent':'letta-python-dev'", more);
}

void CheckRejected(const std::string& members, const std::string& part) {
  CAPTURE(members);
  const absl::Status status = Read(members).status();
  CHECK(ReasonOf(status) == "invalid_payload");
  CHECK_THAT(std::string(MessageOf(status)), Catch::Contains(part));
}

TEST_CASE("a hand-off says what is asked for") {
  const auto request =
      Read(Handoff(",'task_type':'implement_feature','task_description':'Build it',"
                   "'context':{'requirements':['a'],'n':1.50},'deadline':'2026-02-01T12:00:00Z',"
                   "'priority':'high','idempotency_key':'login-1','agent_id':'agent-1'"));
  REQUIRE(request.ok());
  CHECK(request->workflow_id == FakeId(kWorkflow));
  CHECK(request->from_agent == "bmad-architect");
  CHECK(request->to_agent == "letta-python-dev");
  CHECK(request->task_type == "implement_feature");
  CHECK(request->description == "Build it");
  CHECK(request->context == R"({"requirements":["a"],"n":1.50})");
  CHECK(request->deadline == absl::FromUnixSeconds(1769947200));
  CHECK(request->priority == 1);
  CHECK(request->idempotency_key == "login-1");
  CHECK(request->agent_id == "agent-1");
}

TEST_CASE("what a hand-off leaves out is empty, and the older word for its task is read") {
  const auto request = Read(Handoff(",'task':'Build it'"));
  REQUIRE(request.ok());
  CHECK(request->description == "Build it");
  CHECK(request->context.empty());
  CHECK_FALSE(request->deadline);
  CHECK(request->priority == 0);
  CHECK(request->idempotency_key.empty());
  CHECK(Read(Handoff(",'task':'old','task_description':'new'"))->description == "new");
  CHECK(Read(Handoff(",'task':'old','task_description':''"))->description == "old");
}

TEST_CASE("a hand-off that breaks its schema is rejected with the field that does") {
  CheckRejected("", "workflow_id");
  CheckRejected("'workflow_id':7,'from_agent':'a','to_agent':'letta-a','task':'x'", "workflow_id");
  CheckRejected("'workflow_id':'x','from_agent':'a','to_agent':'letta-a','task':'x'",
                "workflow_id");
  CheckRejected(StrCat(IdMember("workflow_id", 1), ",'to_agent':'letta-a','task':'x'"),
                "from_agent");
  CheckRejected(
      StrCat(IdMember("workflow_id", 1), ",'from_agent':'','to_agent':'letta-a','task':'x'"),
      "from_agent");
  CheckRejected(StrCat(IdMember("workflow_id", 1), ",'from_agent':'a','task':'x'"), "to_agent");
  CheckRejected(Handoff(), "task_description");
  CheckRejected(Handoff(",'task_description':''"), "task_description");
  CheckRejected(Handoff(",'task_description':['x']"), "task_description");
  CheckRejected(Handoff(",'task':'x','deadline':'tomorrow'"), "deadline");
  CheckRejected(Handoff(",'task':'x','deadline':7"), "deadline");
  CheckRejected(Handoff(",'task':'x','context':[]"), "context");
  CheckRejected(Handoff(",'task':'x','priority':{}"), "priority");
  CheckRejected(Handoff(",'task':'x','idempotency_key':5"), "idempotency_key");
}

TEST_CASE("names that no column holds are rejected") {
  CheckRejected(Handoff(",'task':'x','idempotency_key':'a\\u0000b'"), "idempotency_key");
  CheckRejected(StrCat(IdMember("workflow_id", 1),
                       ",'from_agent':'a\\u0000','to_agent':'letta-a','task':'x'"),
                "from_agent");
  CheckRejected(
      StrCat(IdMember("workflow_id", 1), ",'from_agent':'a','to_agent':'letta-\\u0000','task':'x'"),
      "to_agent");
  const std::string longest(255, 'k');
  CHECK(Read(Handoff(StrCat(",'task':'x','idempotency_key':'", longest, "'")))->idempotency_key ==
        longest);
  CheckRejected(Handoff(StrCat(",'task':'x','idempotency_key':'", longest, "k'")),
                "idempotency_key");
}

TEST_CASE("what has no column may be large and hold any text") {
  const std::string text(1 << 20, 'x');
  const auto request = Read(Handoff(
      StrCat(",'task':'a\\u0000\\ud800", text, "','context':{'text':'\\u0000", text, "'}")));
  REQUIRE(request.ok());
  CHECK(request->description.size() == text.size() + 5);
  CHECK(request->context.size() == text.size() + 17);
}

TEST_CASE("priorities are words; one that is not known is normal") {
  for (const auto& [word, priority] :
       {std::pair("low", -1), std::pair("normal", 0), std::pair("", 0), std::pair("HIGH", 0),
        std::pair("high", 1), std::pair("urgent", 2), std::pair("critical", 2)}) {
    CAPTURE(word);
    CHECK(Read(Handoff(StrCat(",'task':'x','priority':'", word, "'")))->priority == priority);
  }
}

TEST_CASE("only hand-offs to letta-* concern the bridge") {
  CHECK(IsForBridge("letta-python-dev"));
  CHECK(IsForBridge("letta-"));
  CHECK_FALSE(IsForBridge("letta"));
  CHECK_FALSE(IsForBridge("director-of-engineering"));
  CHECK_FALSE(IsForBridge("Letta-python-dev"));
  CHECK_FALSE(IsForBridge(""));
  CHECK(AgentAskedFor(R"({"to_agent":"letta-a"})") == "letta-a");
  CHECK(AgentAskedFor(R"({"to_agent":7})").empty());
  CHECK(AgentAskedFor("{}").empty());
}

class Acceptable {
 public:
  absl::Status Check() const {
    return CheckAcceptable(
        request,
        {.now = kNow, .agent_types = types_, .earlier_on_chain = earlier, .most_on_chain = 3});
  }
  std::string Reason() const { return ReasonOf(Check()); }

  Request request{.to_agent = "letta-python-dev"};
  int earlier = 0;

 private:
  std::vector<std::string> types_ = {"python-dev", "rust-dev"};
};

TEST_CASE("an agent of an unknown type takes nothing, unless it is named itself") {
  Acceptable asked;
  CHECK(asked.Check().ok());
  for (const char* name : {"letta-", "letta-cobol-dev", "letta-python", "letta-python-dev-2"}) {
    CAPTURE(name);
    asked.request.to_agent = name;
    CHECK(asked.Reason() == "unknown_agent");
  }
  CHECK_THAT(std::string(MessageOf(asked.Check())), Catch::Contains("GOD33_LETTA_AGENT_TYPES"));
  asked.request.agent_id = "agent-1";
  CHECK(asked.Check().ok());
}

TEST_CASE("a deadline that is over is too late") {
  Acceptable asked;
  asked.request.deadline = kNow + absl::Microseconds(1);
  CHECK(asked.Check().ok());
  asked.request.deadline = kNow;
  CHECK(asked.Reason() == "deadline_passed");
  asked.request.deadline = kNow - absl::Hours(1);
  CHECK(asked.Reason() == "deadline_passed");
}

TEST_CASE("hand-offs that come back to the same agent too often are refused") {
  Acceptable asked;
  asked.earlier = 2;
  CHECK(asked.Check().ok());
  asked.earlier = 3;
  CHECK(asked.Reason() == "delegation_loop");
}

TEST_CASE("whatever a payload holds, it is a request or a rejection") {
  int requests = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    CAPTURE(seed);
    testing::Random random(seed);
    const auto random_text = [&random] {
      return testing::WriteJsonTree(random, testing::RandomJson(random));
    };
    std::string payload = Json(StrCat("{", IdMember("workflow_id", 1)));
    for (const char* key : {"from_agent", "to_agent", "task", "task_description", "context",
                            "deadline", "priority", "idempotency_key", "agent_id"}) {
      if (random.OneIn(3)) {
        StrAppend(&payload, ",\"", key, "\":", random_text());
      } else if (random.OneIn(2)) {
        StrAppend(&payload, ",\"", key, "\":\"2026-01-01T00:00:00Z\"");
      }
    }
    const auto request = ReadPayload(payload + "}");
    if (request.ok()) {
      ++requests;
      CHECK_FALSE(request->from_agent.empty());
      CHECK_FALSE(request->description.empty());
    } else {
      CHECK(ReasonOf(request.status()) == "invalid_payload");
    }
  }
  CHECK(requests > 5);
}

}  // namespace
}  // namespace god33::letta
