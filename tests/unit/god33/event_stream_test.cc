#include "tools/god33/event_stream.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "tools/god33/api_client.h"

namespace god33::cli {
namespace {

constexpr char kId[] = "0199a000-0000-7000-8000-000000000001";

TEST_CASE("without options a stream has no filter and begins now") {
  CHECK(MakeRequest(EventStreamOptions()).SerializeAsString().empty());
}

TEST_CASE("every filter of a stream reaches the request") {
  const auto request = MakeRequest(EventStreamOptions{.workflow = kId,
                                                      .types = {"a.*", "b.c"},
                                                      .correlation = kId,
                                                      .agent = "letta",
                                                      .project = "p",
                                                      .after = 0,
                                                      .within = 3});
  CHECK(request.workflow_id() == kId);
  CHECK(request.event_types_size() == 2);
  CHECK(request.correlation_id() == kId);
  CHECK(request.agent_id() == "letta");
  CHECK(request.project() == "p");
  CHECK(request.has_after());
  CHECK(request.after() == 0);
  CHECK(request.within() == 3);
}

TEST_CASE("a stream goes on after what passes, and not after what doesn't") {
  CHECK(GoesOnAfter(absl::UnavailableError("")));
  CHECK(GoesOnAfter(MakeError(absl::StatusCode::kResourceExhausted, "SLOW_READER", "")));
  CHECK(GoesOnAfter(absl::CancelledError("")));
  CHECK_FALSE(GoesOnAfter(MakeError(absl::StatusCode::kAborted, "LOG_CHANGED", "")));
  CHECK_FALSE(GoesOnAfter(InvalidField("after", "")));
  CHECK_FALSE(GoesOnAfter(absl::PermissionDeniedError("")));
}

}  // namespace
}  // namespace god33::cli
