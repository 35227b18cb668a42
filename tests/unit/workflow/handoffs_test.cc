#include "workflow/handoffs.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "unit/workflow/story.h"

namespace god33::workflow {
namespace {

using projection::FoldEvent;

constexpr int kSession = 100;
constexpr int kRecovery = 200;

FoldEvent Request(int n) {
  return Event(n, kHandoffRequestedType, {},
               "'from_agent':'bmad-dev','to_agent':'letta-dev','task':'t'");
}

FoldEvent Accepted(int n, int request, int session = kSession) {
  return Event(n, "agent.handoff.accepted", {FakeId(static_cast<std::uint64_t>(request))},
               InSession(session, ",'checkpoint_id':'c-0'"));
}

FoldEvent OfSession(int n, std::string type, const std::string& more = "", int session = kSession) {
  return Event(n, std::move(type), {}, InSession(session, more));
}

FoldEvent Recovered(int n) {
  return OfSession(n, "agent.letta.session.recovery.started",
                   "," + IdMember("new_session_id", kRecovery));
}

Handoff Only(const std::vector<FoldEvent>& events) {
  const Handoffs handoffs(ChainOf(events));
  REQUIRE(handoffs.all().size() == 1);
  return handoffs.all().front();
}

TEST_CASE("a hand-off is requested, accepted, works and is completed") {
  std::vector<FoldEvent> story = {Request(1)};
  CHECK(Only(story).state == HandoffState::kRequested);
  CHECK(Only(story).from == "bmad-dev");
  CHECK(Only(story).to == "letta-dev");
  CHECK(Only(story).task == "t");
  story.push_back(Accepted(2, 1));
  CHECK(Only(story).state == HandoffState::kAccepted);
  CHECK(Only(story).session == FakeId(kSession));
  CHECK(Only(story).checkpoint == "c-0");
  CHECK(Only(story).accepted_at == kBegin + absl::Minutes(2));
  story.push_back(
      OfSession(3, "agent.letta.checkpoint.saved", ",'checkpoint_id':'c-1','summary':'half'"));
  CHECK(Only(story).checkpoint == "c-1");
  CHECK(Only(story).checkpoints == 1);
  CHECK(Only(story).progress == "half");
  story.push_back(OfSession(4, "agent.letta.task.completed", ",'final_checkpoint_id':'c-2'"));
  CHECK(Only(story).state == HandoffState::kCompleted);
  CHECK(Only(story).over());
  CHECK(Only(story).completed_by == FakeId(4));
  CHECK(Only(story).checkpoint == "c-2");
  CHECK(Only(story).ended_at == kBegin + absl::Minutes(4));
}

TEST_CASE("a hand-off that is rejected says why, and stays so") {
  const Handoff handoff = Only({Request(1),
                                Event(2, "agent.handoff.rejected", {FakeId(1)},
                                      "'reason':'unknown_agent','detail':'no such'"),
                                Accepted(3, 1)});
  CHECK(handoff.state == HandoffState::kRejected);
  CHECK(handoff.reason == "unknown_agent");
  CHECK(handoff.detail == "no such");
}

TEST_CASE("whatever the order in which events arrive, the hand-off comes to the same") {
  const std::vector<FoldEvent> story = {
      Request(1),
      Accepted(2, 1),
      OfSession(3, "agent.letta.session.failed", ",'failure_reason':'gone'"),
      Recovered(4),
      OfSession(5, "agent.letta.checkpoint.saved", ",'checkpoint_id':'c-9'", kRecovery),
      OfSession(6, "agent.letta.task.completed", "", kRecovery)};
  // The log's order, with these at the last positions.
  for (std::size_t late = 1; late < story.size() - 1; ++late) {
    CAPTURE(late);
    std::vector<FoldEvent> mixed = story;
    mixed[late].position = 10;
    const Handoff handoff = Only(mixed);
    CHECK(handoff.state == HandoffState::kCompleted);
    CHECK(handoff.completed_by == FakeId(6));
    CHECK(handoff.accepted_at == kBegin + absl::Minutes(2));
  }
}

TEST_CASE("a failed session fails the hand-off until a recovery goes on with it") {
  std::vector<FoldEvent> story = {
      Request(1), Accepted(2, 1),
      OfSession(3, "agent.letta.session.failed", ",'failure_reason':'connection_timeout'")};
  CHECK(Only(story).state == HandoffState::kFailed);
  CHECK(Only(story).reason == "connection_timeout");
  CHECK_FALSE(Only(story).over());
  story.push_back(Recovered(4));
  CHECK(Only(story).state == HandoffState::kAccepted);
  CHECK(Only(story).reason.empty());
  CHECK(Only(story).session == FakeId(kRecovery));
  // What the old one still says counts no more.
  story.push_back(OfSession(5, "agent.letta.session.failed"));
  story.push_back(OfSession(6, "agent.letta.checkpoint.saved", ",'checkpoint_id':'old'"));
  CHECK(Only(story).state == HandoffState::kAccepted);
  CHECK(Only(story).checkpoint == "c-0");
  story.push_back(OfSession(7, "agent.letta.task.completed", "", kRecovery));
  CHECK(Only(story).state == HandoffState::kCompleted);
}

TEST_CASE("blocked and paused work goes on when its session is resumed") {
  std::vector<FoldEvent> story = {
      Request(1), Accepted(2, 1),
      OfSession(3, "agent.letta.task.blocked", ",'reason':'r','needs':'n'"),
      OfSession(4, "agent.letta.session.paused")};
  CHECK(Only(story).state == HandoffState::kBlocked);
  CHECK(Only(story).paused);
  story.push_back(OfSession(5, "agent.letta.session.resumed"));
  CHECK(Only(story).state == HandoffState::kAccepted);
  CHECK_FALSE(Only(story).paused);
}

TEST_CASE("the first end counts") {
  const FoldEvent cancelled = OfSession(3, "agent.letta.task.cancelled", ",'reason':'dropped'");
  const FoldEvent completed = OfSession(4, "agent.letta.task.completed");
  const Handoff handoff = Only({Request(1), Accepted(2, 1), cancelled, completed});
  CHECK(handoff.state == HandoffState::kCancelled);
  CHECK(handoff.reason == "dropped");
  CHECK_FALSE(handoff.completed_by);
}

TEST_CASE("an event is about the hand-off that it names, else its session's, else its parent's") {
  const auto completed = [](std::vector<Uuid> parents, const std::string& members) {
    const Chain chain = ChainOf({Request(1), Request(2), Accepted(3, 1), Accepted(4, 2, kRecovery),
                                 Event(5, kTaskCompletedType, std::move(parents), members)});
    std::vector<bool> ends;
    const Handoffs handoffs(chain);
    for (const Handoff& handoff : handoffs.all()) ends.push_back(handoff.over());
    return ends;
  };
  using Ends = std::vector<bool>;
  CHECK(completed({FakeId(3)}, InSession(kSession, "," + IdMember("task_id", 2))) ==
        Ends{false, true});
  CHECK(completed({FakeId(3)}, InSession(kRecovery)) == Ends{false, true});
  CHECK(completed({FakeId(4)}, InSession(300)) == Ends{false, true});
  CHECK(completed({FakeId(1)}, "") == Ends{true, false});
  // The task's own id, in a vocabulary of somebody else's.
  CHECK(completed({}, InSession(kSession, "," + IdMember("task_id", 77))) == Ends{true, false});
  CHECK(completed({FakeId(88)}, "") == Ends{false, false});
}

TEST_CASE(
    "questions are open until they are answered, withdrawn or time out, or the work is over") {
  const FoldEvent question =
      Event(3, "agent.feedback.requested", {FakeId(2)}, InSession(kSession, ",'question':'JWT?'"));
  const auto open = [&](const FoldEvent& next) {
    const Chain chain = ChainOf({Request(1), Accepted(2, 1), question, next});
    return Handoffs(chain).open_questions().size();
  };
  const Chain asked = ChainOf({Request(1), Accepted(2, 1), question});
  const Handoffs handoffs(asked);
  REQUIRE(handoffs.open_questions().size() == 1);
  CHECK(handoffs.open_questions()[0].id == FakeId(3));
  CHECK(handoffs.open_questions()[0].handoff == FakeId(1));
  CHECK(handoffs.open_questions()[0].text == "JWT?");
  CHECK(handoffs.open_questions()[0].from == "letta-dev");

  const std::string about = IdMember("request_id", 3);
  CHECK(open(Event(4, "agent.feedback.response", {}, about)) == 0);
  CHECK(open(Event(4, "agent.feedback.response", {FakeId(3)}, "'response':'yes'")) == 0);
  CHECK(open(Event(4, "agent.feedback.withdrawn", {}, about)) == 0);
  CHECK(open(Event(4, "agent.feedback.timed_out", {}, about)) == 0);
  CHECK(open(Event(4, "agent.feedback.response", {}, IdMember("request_id", 9))) == 1);
  CHECK(open(OfSession(4, "agent.letta.task.cancelled")) == 0);
  CHECK(open(OfSession(4, "agent.letta.task.blocked")) == 1);
}

TEST_CASE("a question that belongs to no hand-off is open, too") {
  const Handoffs handoffs(ChainOf({Event(1, "agent.feedback.requested", {}, "'message':'JWT?'")}));
  REQUIRE(handoffs.open_questions().size() == 1);
  CHECK_FALSE(handoffs.open_questions()[0].handoff);
}

TEST_CASE("every state has a name of its own") {
  std::vector<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(HandoffState::kCancelled); ++i) {
    names.push_back(NameOf(static_cast<HandoffState>(i)));
  }
  std::sort(names.begin(), names.end());
  CHECK(std::unique(names.begin(), names.end()) == names.end());
  CHECK(std::find(names.begin(), names.end(), "unknown") == names.end());
}

}  // namespace
}  // namespace god33::workflow
