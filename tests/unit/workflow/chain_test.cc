#include "workflow/chain.h"

#include <catch2/catch.hpp>

#include "unit/workflow/story.h"

namespace god33::workflow {
namespace {

TEST_CASE("a chain knows a workflow as soon as there is an event, and its newest of each type") {
  Chain chain;
  CHECK_FALSE(chain.known());
  CHECK(chain.Last(kStartedType) == nullptr);
  chain.Add(Event(1, "fireflies.transcript.ready"));
  CHECK(chain.known());
  CHECK(chain.links().empty());
  chain.Add(Event(3, kPhaseCompletedType));
  chain.Add(Event(2, kPhaseCompletedType));
  chain.Add(Event(4, kStartedType));
  CHECK(chain.Last(kPhaseCompletedType)->id == FakeId(3));
  CHECK(chain.links().front().position == 2);
  CHECK(chain.links().back().type == kStartedType);
}

TEST_CASE("a link has what the payload says, in both vocabularies of questions") {
  const Chain chain = ChainOf(
      {Event(1, kHandoffRequestedType, {},
             "'from_agent':'a','to_agent':'b','task_type':'t','task':'do it'"),
       Event(2, "agent.feedback.requested", {FakeId(1)},
             InSession(9,
                       ",'from_agent':'b','question':'JWT?','options':['yes',7,'no'],"
                       "'default':'no','deadline':'2027-01-01T00:00:00Z'")),
       Event(3, "agent.feedback.requested", {}, "'agent_id':'a-1','message':'JWT?'"),
       Event(4, "agent.letta.task.blocked", {}, "'reason':'no key','needs':'a key'"),
       Event(5, "agent.feedback.response", {}, IdMember("request_id", 2) + ",'response':'yes'")});
  const std::vector<Link>& links = chain.links();
  REQUIRE(links.size() == 5);
  CHECK(links[0].from == "a");
  CHECK(links[0].to == "b");
  CHECK(links[0].kind == "t");
  CHECK(links[0].text == "do it");
  CHECK(links[1].text == "JWT?");
  CHECK(links[1].options == std::vector<std::string>{"yes", "no"});
  CHECK(links[1].default_answer == "no");
  CHECK(links[1].deadline == "2027-01-01T00:00:00Z");
  CHECK(links[1].session == FakeId(9));
  CHECK(links[2].text == "JWT?");
  CHECK(links[2].from == "a-1");
  CHECK(links[3].reason == "no key");
  CHECK(links[3].detail == "a key");
  CHECK(links[4].question == FakeId(2));
  CHECK(links[4].text == "yes");
}

TEST_CASE("members of unexpected kinds are absent, and long texts are cut between characters") {
  const std::string text = [] {
    std::string long_text;
    for (int i = 0; i < 10'000; ++i) long_text += "ä";
    return long_text;
  }();
  const Chain chain = ChainOf({Event(1, kHandoffRequestedType, {},
                                     "'from_agent':7,'to_agent':null,'task_id':'x','options':{}"),
                               Event(2, kHandoffRequestedType, {}, "'task':'" + text + "'")});
  CHECK(chain.links()[0].from.empty());
  CHECK(chain.links()[0].to.empty());
  CHECK_FALSE(chain.links()[0].task);
  CHECK(chain.links()[0].options.empty());
  CHECK(chain.links()[1].text == text.substr(0, 10'000));
}

}  // namespace
}  // namespace god33::workflow
