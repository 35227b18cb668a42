#include "tools/god33/event_query.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/timestamp.h"

namespace god33::cli {
namespace {

const absl::Time kNow = *ParseTimestamp("2026-01-27T10:00:00Z");
constexpr char kId[] = "0199a000-0000-7000-8000-000000000001";

TEST_CASE("without options nothing is filtered") {
  const auto request = MakeRequest({}, kNow);
  REQUIRE(request.ok());
  store::v1::ListEventsRequest plain;
  plain.set_order("asc");
  CHECK(request->SerializeAsString() == plain.SerializeAsString());
}

TEST_CASE("every filter reaches the request") {
  const auto request = MakeRequest({.workflow = kId,
                                    .types = {"a.*", "b.c"},
                                    .correlation = kId,
                                    .collaboration = kId,
                                    .agent = "letta",
                                    .session = kId,
                                    .since = "1h",
                                    .until = "2026-01-27T09:30:00Z",
                                    .order = "desc"},
                                   kNow);
  REQUIRE(request.ok());
  CHECK(request->workflow_id() == kId);
  CHECK(request->event_type_size() == 2);
  CHECK(request->correlation_id() == kId);
  CHECK(request->collaboration_id() == kId);
  CHECK(request->agent_id() == "letta");
  CHECK(request->session_id() == kId);
  CHECK(request->since().seconds() == absl::ToUnixSeconds(kNow) - 3600);
  CHECK(request->end_time().seconds() == absl::ToUnixSeconds(kNow) - 1800);
  CHECK(request->order() == "desc");
}

TEST_CASE("a time that can't be read names its option") {
  CHECK(FieldOf(MakeRequest({.since = "x"}, kNow).status()) == "--since");
  CHECK(FieldOf(MakeRequest({.until = "x"}, kNow).status()) == "--until");
}

}  // namespace
}  // namespace god33::cli
