#include "services/event-store-manager/projection_request.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace god33::manager {
namespace {

constexpr char kId[] = "6f9619ff-8b86-4011-b42d-00c04fc964ff";

TEST_CASE("a verification is of everything, of one workflow, or of one session") {
  store::v1::VerifyProjectionsRequest request;
  REQUIRE(ReadScope(request).ok());
  CHECK(ReadScope(request)->all());
  request.set_workflow_id(kId);
  CHECK(ReadScope(request)->workflow == Uuid::Parse(kId));
  CHECK_FALSE(ReadScope(request)->all());
  request.set_session_id(kId);
  CHECK(FieldOf(ReadScope(request).status()) == "session_id");
  request.clear_workflow_id();
  CHECK(ReadScope(request)->session == Uuid::Parse(kId));
  request.set_session_id("");
  CHECK(FieldOf(ReadScope(request).status()) == "session_id");
  request.clear_session_id();
  request.set_workflow_id("workflow-1");
  CHECK(FieldOf(ReadScope(request).status()) == "workflow_id");
  CHECK(FieldOf(ReadJobId("").status()) == "job_id");
}

TEST_CASE("states of jobs are named exactly, or not at all") {
  CHECK(CheckState("").ok());
  CHECK(CheckState("cancelled").ok());
  CHECK(FieldOf(CheckState("Running")) == "state");
}

TEST_CASE("whether projections match is said only when they were compared to the end") {
  ProjectionJob job{.kind = "verify", .state = "running", .phase = "comparing", .compared_at = 7};
  job.counts.checked = 5;
  store::v1::ProjectionJob message;
  ToProto(job, message);
  CHECK_FALSE(message.has_matches());
  CHECK_FALSE(message.has_compared_at());
  CHECK_FALSE(message.has_ended_at());
  job.state = "completed";
  message.Clear();
  ToProto(job, message);
  CHECK(message.matches());
  CHECK(message.compared_at() == 7);
  job.counts.added = 2;
  job.counts.removed = 1;
  ToProto(job, message);
  CHECK_FALSE(message.matches());
  CHECK(message.differing() == 3);
  // A rebuild has compared when it waits for its moment to swap.
  job.state = "running";
  job.phase = "swapping";
  message.Clear();
  ToProto(job, message);
  CHECK(message.has_matches());
}

TEST_CASE("the lag is never negative, whichever was read first") {
  store::v1::GetProjectionsResponse message;
  ToProto(ProjectionStatus{.position = 9, .head = 7}, message);
  CHECK(message.lag() == 0);
}

}  // namespace
}  // namespace god33::manager
