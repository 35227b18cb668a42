#include "workflow/next_step.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "unit/workflow/story.h"

namespace god33::workflow {
namespace {

using projection::FoldEvent;
using Ids = std::vector<Uuid>;

const Uuid kWorkflow = FakeId(1000);

absl::StatusOr<Ids> Parents(const StepRequest& request, const std::vector<FoldEvent>& events) {
  const Chain chain = ChainOf(events);
  return ParentsOf(request, kWorkflow, chain, Handoffs(chain));
}

// Their numbers; {-1}: an error.
std::vector<int> Numbers(const absl::StatusOr<Ids>& parents) {
  if (!parents.ok()) return {-1};
  std::vector<int> numbers;
  for (const Uuid& id : *parents) {
    for (int n = 0; n < 100; ++n) {
      if (FakeId(static_cast<std::uint64_t>(n)) == id) numbers.push_back(n);
    }
  }
  return numbers;
}

std::vector<int> Numbers(Step step, const std::vector<FoldEvent>& events) {
  return Numbers(Parents({.step = step}, events));
}

std::string Reason(const StepRequest& request, const std::vector<FoldEvent>& events) {
  const auto parents = Parents(request, events);
  return parents.ok() ? "" : ReasonOf(parents.status());
}

using Numbered = std::vector<int>;

FoldEvent Completed(int n, int handoff) {
  return Event(n, kTaskCompletedType, {FakeId(static_cast<std::uint64_t>(handoff))});
}

// Pattern 1: three phases, a hand-off that is accepted and completed, its validation.
std::vector<FoldEvent> Pattern() {
  return {Event(1, kStartedType),
          Event(2, kPhaseCompletedType, {FakeId(1)}),
          Event(3, kPhaseCompletedType, {FakeId(2)}),
          Event(4, kHandoffRequestedType, {FakeId(3)}),
          Event(5, "agent.handoff.accepted", {FakeId(4)}, InSession(50)),
          Event(6, "agent.letta.checkpoint.saved", {FakeId(5)}, InSession(50)),
          Event(7, kTaskCompletedType, {FakeId(5), FakeId(6)}, InSession(50)),
          Event(8, kValidationRequestedType, {FakeId(7)})};
}

std::vector<FoldEvent> Until(std::size_t events) {
  std::vector<FoldEvent> story = Pattern();
  story.resize(events);
  return story;
}

TEST_CASE("pattern 1: each step's parent is the one before it") {
  CHECK(Numbers(Step::kStart, {}) == Numbered{});
  CHECK(Numbers(Step::kCompletePhase, Until(1)) == Numbered{1});
  CHECK(Numbers(Step::kCompletePhase, Until(2)) == Numbered{2});
  CHECK(Numbers(Step::kRequestHandoff, Until(3)) == Numbered{3});
  CHECK(Numbers(Step::kRequestHandoff, Until(1)) == Numbered{1});
  CHECK(Numbers(Step::kRequestValidation, Until(7)) == Numbered{7});
  CHECK(Numbers(Step::kComplete, Until(8)) == Numbered{8});
}

TEST_CASE("a hand-off after finished work has what that came to as a parent, too") {
  CHECK(Numbers(Step::kRequestHandoff, Until(6)) == Numbered{3});
  CHECK(Numbers(Step::kRequestHandoff, Until(7)) == Numbered{3, 7});
  CHECK(Numbers(Step::kRequestHandoff, Until(8)) == Numbered{3, 8});
  std::vector<FoldEvent> story = Pattern();
  story.push_back(Event(9, kPhaseCompletedType));
  CHECK(Numbers(Step::kRequestHandoff, story) == Numbered{9});
}

TEST_CASE("a phase that follows a validation has it as a parent, too") {
  CHECK(Numbers(Step::kCompletePhase, Until(7)) == Numbered{3});
  CHECK(Numbers(Step::kCompletePhase, Until(8)) == Numbered{3, 8});
}

TEST_CASE("a completion follows the validation, else the work, else the phase, else the start") {
  CHECK(Numbers(Step::kComplete, Until(7)) == Numbered{7});
  CHECK(Numbers(Step::kComplete, Until(3)) == Numbered{3});
  CHECK(Numbers(Step::kComplete, Until(1)) == Numbered{1});
  std::vector<FoldEvent> story = Pattern();
  story.push_back(Event(9, kPhaseCompletedType));
  CHECK(Numbers(Step::kComplete, story) == Numbered{8, 9});
}

TEST_CASE("a workflow of which the log only has other events goes on without parents") {
  const std::vector<FoldEvent> story = {Event(1, "artifact.created")};
  CHECK(Numbers(Step::kCompletePhase, story) == Numbered{});
  CHECK(Numbers(Step::kRequestHandoff, story) == Numbered{});
  CHECK(Numbers(Step::kComplete, story) == Numbered{});
  CHECK(Numbers(Step::kStart, story) == Numbered{});
}

TEST_CASE("what is validated is the newest hand-off's work, or that of the one which is named") {
  const std::vector<FoldEvent> story = {Event(1, kStartedType), Event(2, kHandoffRequestedType),
                                        Event(3, kHandoffRequestedType), Completed(4, 3),
                                        Completed(5, 2)};
  CHECK(Numbers(Step::kRequestValidation, story) == Numbered{4});
  CHECK(Numbers(Parents({.step = Step::kRequestValidation, .handoff = FakeId(2)}, story)) ==
        Numbered{5});
  CHECK(Reason({.step = Step::kRequestValidation, .handoff = FakeId(4)}, story) ==
        "HANDOFF_NOT_FOUND");
}

TEST_CASE("work that was never handed over is validated as well") {
  CHECK(Numbers(Step::kRequestValidation, {Event(1, kStartedType), Event(2, kTaskCompletedType)}) ==
        Numbered{2});
}

TEST_CASE("nothing is validated before it is completed, unless the caller says what") {
  for (const std::size_t events : {1, 3, 4, 6}) {
    CAPTURE(events);
    const auto parents = Parents({.step = Step::kRequestValidation}, Until(events));
    REQUIRE(absl::IsFailedPrecondition(parents.status()));
    CHECK(ReasonOf(parents.status()) == "HANDOFF_NOT_COMPLETED");
  }
  CHECK(Numbers(Parents({.step = Step::kRequestValidation, .parents = Ids{FakeId(6)}}, Until(6))) ==
        Numbered{6});
}

TEST_CASE("parents that the caller gives are taken as they are, also none") {
  for (const Step step : {Step::kCompletePhase, Step::kRequestHandoff, Step::kComplete}) {
    CHECK(Numbers(Parents({.step = step, .parents = Ids{FakeId(5), FakeId(1)}}, Until(8))) ==
          Numbered{5, 1});
    CHECK(Numbers(Parents({.step = step, .parents = Ids{}}, Until(8))) == Numbered{});
  }
  CHECK(Numbers(Parents({.step = Step::kStart, .parents = Ids{FakeId(5)}}, {})) == Numbered{5});
}

TEST_CASE("an unknown workflow can only be started") {
  for (const Step step :
       {Step::kCompletePhase, Step::kRequestHandoff, Step::kRequestValidation, Step::kComplete}) {
    CHECK(absl::IsNotFound(Parents({.step = step}, {}).status()));
    CHECK(Reason({.step = step, .parents = Ids{FakeId(5)}}, {}) == "WORKFLOW_NOT_FOUND");
  }
}

TEST_CASE("a workflow is started once") {
  const auto again = Parents({.step = Step::kStart}, Until(1));
  REQUIRE(absl::IsAlreadyExists(again.status()));
  CHECK(ReasonOf(again.status()) == "WORKFLOW_ALREADY_STARTED");
}

TEST_CASE("nothing follows a completion") {
  std::vector<FoldEvent> story = Pattern();
  story.push_back(Event(9, kCompletedType));
  for (const Step step :
       {Step::kCompletePhase, Step::kRequestHandoff, Step::kRequestValidation, Step::kComplete}) {
    CHECK(absl::IsFailedPrecondition(Parents({.step = step}, story).status()));
    CHECK(Reason({.step = step, .parents = Ids{FakeId(5)}}, story) == "WORKFLOW_COMPLETED");
  }
}

TEST_CASE("each step has its event type") {
  CHECK(EventTypeOf(Step::kStart) == std::string_view(kStartedType));
  CHECK(EventTypeOf(Step::kCompletePhase) == std::string_view(kPhaseCompletedType));
  CHECK(EventTypeOf(Step::kRequestHandoff) == std::string_view(kHandoffRequestedType));
  CHECK(EventTypeOf(Step::kRequestValidation) == std::string_view(kValidationRequestedType));
  CHECK(EventTypeOf(Step::kComplete) == std::string_view(kCompletedType));
}

}  // namespace
}  // namespace god33::workflow
