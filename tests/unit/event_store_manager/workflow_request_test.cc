#include "services/event-store-manager/workflow_request.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "testing/fake_ids.h"

namespace god33::manager {
namespace {

namespace v1 = workflow::v1;

using testing::FakeId;

const std::string kWorkflow = FakeId(9).ToString();

template <typename Request>
std::string FieldAtFault(const Request& request) {
  static const wire::PayloadRegistry registry;
  SystemClock clock;
  const auto call = ReadCall(request);
  if (!call.ok()) {
    CHECK(absl::IsInvalidArgument(call.status()));
    return FieldOf(call.status());
  }
  const auto event =
      MakeEvent(*call, FakeId(1), call->workflow.value_or(FakeId(2)),
                call->request.parents.value_or(std::vector<Uuid>()), registry, clock);
  if (event.ok()) return "";
  CHECK(absl::IsInvalidArgument(event.status()));
  return FieldOf(event.status());
}

v1::RequestHandoffRequest Handoff() {
  v1::RequestHandoffRequest request;
  request.set_workflow_id(kWorkflow);
  request.set_from_agent("bmad-architect");
  request.set_to_agent("letta-dev");
  request.set_task_description("t");
  return request;
}

TEST_CASE("a request that lacks what its event needs is refused by the field's name") {
  CHECK(FieldAtFault(Handoff()) == "");
  v1::RequestHandoffRequest handoff = Handoff();
  handoff.clear_workflow_id();
  CHECK(FieldAtFault(handoff) == "workflow_id");
  handoff = Handoff();
  handoff.clear_from_agent();
  CHECK(FieldAtFault(handoff) == "from_agent");
  handoff = Handoff();
  handoff.clear_to_agent();
  CHECK(FieldAtFault(handoff) == "to_agent");
  handoff = Handoff();
  handoff.clear_task_description();
  CHECK(FieldAtFault(handoff) == "task_description");
  CHECK(FieldAtFault(v1::StartWorkflowRequest()) == "project_name");
  v1::CompletePhaseRequest phase;
  phase.set_workflow_id(kWorkflow);
  CHECK(FieldAtFault(phase) == "phase");
}

TEST_CASE("values that can't be are refused by the field's name") {
  v1::RequestHandoffRequest handoff = Handoff();
  handoff.set_workflow_id("wf-1");
  CHECK(FieldAtFault(handoff) == "workflow_id");
  for (const char* context : {"[]", "7", "{", "{}{}", "null", "\"text\""}) {
    CAPTURE(context);
    handoff = Handoff();
    handoff.mutable_context()->set_text(context);
    // null is absent, as everywhere in payloads.
    CHECK(FieldAtFault(handoff) == (std::string(context) == "null" ? "" : "context"));
  }
  handoff = Handoff();
  handoff.mutable_deadline()->set_seconds(-100'000'000'000);
  CHECK(FieldAtFault(handoff) == "deadline");
  handoff = Handoff();
  handoff.add_correlation_ids(kWorkflow);
  handoff.add_correlation_ids("x");
  CHECK(FieldAtFault(handoff) == "correlation_ids[1]");
  handoff = Handoff();
  handoff.set_request_id("with blanks");
  CHECK(FieldAtFault(handoff) == "request_id");
  handoff = Handoff();
  for (std::uint64_t i = 0; i < 1001; ++i) handoff.add_correlation_ids(FakeId(100 + i).ToString());
  CHECK(FieldAtFault(handoff) == "correlation_ids");
  v1::RequestValidationRequest validation;
  validation.set_workflow_id(kWorkflow);
  validation.set_handoff_id("x");
  CHECK(FieldAtFault(validation) == "handoff_id");
}

TEST_CASE("what the projections could not hold is refused") {
  v1::CompletePhaseRequest phase;
  phase.set_workflow_id(kWorkflow);
  phase.set_phase(std::string(50, 'x'));
  CHECK(FieldAtFault(phase) == "");
  phase.set_phase(std::string(51, 'x'));
  CHECK(FieldAtFault(phase) == "phase");
  phase.set_phase(std::string("a\0b", 3));
  CHECK(FieldAtFault(phase) == "phase");
  phase.set_phase("analysis");
  phase.set_next_phase(std::string(51, 'x'));
  CHECK(FieldAtFault(phase) == "next_phase");
  v1::StartWorkflowRequest start;
  start.set_project_name(std::string(256, 'x'));
  CHECK(FieldAtFault(start) == "project_name");
  v1::RequestHandoffRequest handoff = Handoff();
  handoff.set_to_agent(std::string(101, 'x'));
  CHECK(FieldAtFault(handoff) == "to_agent");
  handoff = Handoff();
  handoff.set_from_agent(std::string(101, 'x'));
  CHECK(FieldAtFault(handoff) == "from_agent");
}

TEST_CASE("the event is an orchestrator's unless the request says otherwise") {
  const wire::PayloadRegistry registry;
  SystemClock clock;
  v1::RequestHandoffRequest request = Handoff();
  request.mutable_context()->set_text(" {\"n\":1e400} ");
  const auto plain =
      MakeEvent(*ReadCall(request), FakeId(1), FakeId(9), {FakeId(3)}, registry, clock);
  REQUIRE(plain.ok());
  CHECK(plain->appended);
  CHECK(plain->envelope.type == "bmad.workflow.handoff.requested");
  CHECK(plain->envelope.parents == std::vector<Uuid>{FakeId(3)});
  CHECK(plain->envelope.source ==
        event::Source{.host = "unknown", .type = "agent", .app = "bmad-orchestrator"});
  CHECK(plain->envelope.agent_context->type == "bmad-architect");
  CHECK(plain->envelope.payload ==
        StrCat(R"({"workflow_id":")", kWorkflow, R"(","from_agent":"bmad-architect",)",
               R"("to_agent":"letta-dev","task_description":"t","context":{"n":1e400}})"));

  request.mutable_source()->set_type("service");
  request.mutable_source()->set_app("director");
  request.mutable_agent_context()->set_type("director-of-engineering");
  request.mutable_agent_context()->set_instance_id("i-1");
  const auto said = MakeEvent(*ReadCall(request), FakeId(1), FakeId(9), {}, registry, clock);
  REQUIRE(said.ok());
  CHECK(said->envelope.source ==
        event::Source{.host = "unknown", .type = "service", .app = "director"});
  CHECK(said->envelope.agent_context->type == "director-of-engineering");
  CHECK(said->envelope.agent_context->instance_id == "i-1");
}

TEST_CASE("of equal parents one stays") {
  v1::RequestHandoffRequest request = Handoff();
  request.add_correlation_ids(FakeId(1).ToString());
  request.add_correlation_ids(FakeId(1).ToString());
  CHECK(ReadCall(request)->request.parents == std::vector<Uuid>{FakeId(1)});
  CHECK_FALSE(ReadCall(Handoff())->request.parents);
}

}  // namespace
}  // namespace god33::manager
