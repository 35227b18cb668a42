#include "event/facts.h"

#include <catch2/catch.hpp>

#include "base/strings.h"
#include "unit/printers.h"

namespace god33::event {
namespace {

constexpr char kA[] = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
constexpr char kB[] = "11111111-2222-3333-4444-555555555555";

Facts Of(std::string payload, std::optional<AgentContext> context = std::nullopt) {
  Envelope envelope;
  envelope.payload = std::move(payload);
  envelope.agent_context = std::move(context);
  return FactsOf(envelope);
}

TEST_CASE("ids and texts are taken out of the payload") {
  const Facts facts = Of(R"({"workflow_id":"6F9619FF-8B86-D011-B42D-00C04FC964FF",
      "collaboration_id":"11111111222233334444555555555555",
      "session_id":"11111111-2222-3333-4444-555555555555",
      "project_name":"user-authentication","checkpoint_id":"letta-checkpoint-xyz"})");
  CHECK(facts.workflow_id == Uuid::Parse(kA));
  CHECK(facts.collaboration_id == Uuid::Parse(kB));
  CHECK(facts.session_id == Uuid::Parse(kB));
  CHECK(facts.project == "user-authentication");
  CHECK(facts.checkpoint_id == "letta-checkpoint-xyz");
}

TEST_CASE("an empty payload gives no facts") {
  const Facts facts = Of("{}");
  CHECK_FALSE(facts.workflow_id);
  CHECK_FALSE(facts.collaboration_id);
  CHECK_FALSE(facts.session_id);
  CHECK(facts.project.empty());
  CHECK(facts.agent_id.empty());
  CHECK(facts.checkpoint_id.empty());
}

TEST_CASE("a session that a recovery opens counts when no other is named") {
  CHECK(Of(StrCat(R"({"new_session_id":")", kA, R"("})")).session_id == Uuid::Parse(kA));
  CHECK(Of(StrCat(R"({"new_session_id":")", kA, R"(","session_id":")", kB, R"("})")).session_id ==
        Uuid::Parse(kB));
  CHECK(Of(StrCat(R"({"new_session_id":")", kA, R"(","session_id":"no uuid"})")).session_id ==
        Uuid::Parse(kA));
}

TEST_CASE("ids that are no UUIDs and values of other kinds count as absent") {
  for (const char* payload :
       {R"({"workflow_id":"wf-1","project_name":7})", R"({"workflow_id":null,"project_name":null})",
        R"({"workflow_id":7,"project_name":["a"]})", R"({"workflow_id":"","project_name":""})",
        R"({"workflow_id":["6f9619ff-8b86-d011-b42d-00c04fc964ff"],"project_name":{}})"}) {
    CAPTURE(payload);
    CHECK_FALSE(Of(payload).workflow_id);
    CHECK(Of(payload).project.empty());
  }
}

TEST_CASE("nested fields of the same names are not looked at") {
  CHECK_FALSE(Of(StrCat(R"({"context":{"workflow_id":")", kA, R"("}})")).workflow_id);
}

TEST_CASE("the project alone is the one that all facts have") {
  for (const char* payload :
       {R"({"project_name":"shop","x":{"project_name":"other"}})", "{}", R"({"project_name":7})",
        R"({"project_name":"a","project_name":"b"})"}) {
    CAPTURE(payload);
    CHECK(ProjectNamedIn(payload) == Of(payload).project);
  }
  CHECK(ProjectNamedIn(R"({"project_name":"shop"})") == "shop");
}

TEST_CASE("of duplicate members the last counts") {
  const Facts facts =
      Of(StrCat(R"({"workflow_id":")", kA, R"(","project_name":"a","workflow_id":")", kB,
                R"(","project_name":null})"));
  CHECK(facts.workflow_id == Uuid::Parse(kB));
  CHECK(facts.project.empty());
}

TEST_CASE("escaped keys count like plain ones") {
  CHECK(Of(StrCat(R"({"workflow\u005fid":")", kA, R"("})")).workflow_id == Uuid::Parse(kA));
}

TEST_CASE("the agent is the first that is named, in the documented order") {
  const std::string payload =
      R"({"agent_instance_id":"p-instance","agent_id":"p-agent","from_agent":"p-from"})";
  CHECK(Of(payload, AgentContext{.type = "c-type", .instance_id = "c-instance"}).agent_id ==
        "c-instance");
  CHECK(Of(payload, AgentContext{.type = "c-type"}).agent_id == "p-instance");
  CHECK(Of(R"({"agent_id":"p-agent","from_agent":"p-from"})", AgentContext{.type = "c-type"})
            .agent_id == "p-agent");
  CHECK(Of(R"({"from_agent":"p-from"})", AgentContext{.type = "c-type"}).agent_id == "c-type");
  CHECK(Of(R"({"from_agent":"p-from"})").agent_id == "p-from");
}

TEST_CASE("an empty agent, or one of another kind, lets the next one count") {
  CHECK(Of(R"({"agent_instance_id":"","agent_id":7,"from_agent":"p-from"})",
           AgentContext{.type = "", .instance_id = ""})
            .agent_id == "p-from");
}

TEST_CASE("the context's checkpoint comes before the payload's") {
  CHECK(Of(R"({"checkpoint_id":"p"})", AgentContext{.checkpoint_id = "c"}).checkpoint_id == "c");
  CHECK(Of(R"({"checkpoint_id":"p"})", AgentContext{.checkpoint_id = ""}).checkpoint_id == "p");
}

TEST_CASE("texts that no index can hold count as absent") {
  const std::string longest(255, 'x');
  CHECK(Of(StrCat(R"({"project_name":")", longest, R"("})")).project == longest);
  CHECK(Of(StrCat(R"({"project_name":"x)", longest, R"("})")).project.empty());
  CHECK(Of(R"({"project_name":"a\u0000b"})").project.empty());
  CHECK(Of(StrCat(R"({"agent_id":"p"})"), AgentContext{.instance_id = longest + "x"}).agent_id ==
        "p");
  CHECK(Of("{}", AgentContext{.type = "t", .instance_id = std::string("\0", 1)}).agent_id == "t");
  CHECK(Of("{}", AgentContext{.checkpoint_id = longest + "x"}).checkpoint_id.empty());
}

}  // namespace
}  // namespace god33::event
