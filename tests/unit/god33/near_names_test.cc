#include "tools/god33/near_names.h"

#include <catch2/catch.hpp>

namespace god33::cli {
namespace {

using Names = std::vector<std::string>;

const Names kNames{"agent.handoff.accepted", "agent.handoff.rejected", "agent.handoff.requested",
                   "bmad.workflow.handoff.requested", "bmad.workflow.started"};

TEST_CASE("a slip of the finger is found") {
  CHECK(NearNames("bmad.workflow.start", kNames) == Names{"bmad.workflow.started"});
  CHECK(NearNames("bmad.workflwo.started", kNames).front() == "bmad.workflow.started");
  CHECK(NearNames("BMAD.workflow.started", kNames).front() == "bmad.workflow.started");
}

TEST_CASE("a part of the name is enough, and at most three are told") {
  CHECK(NearNames("started", kNames) == Names{"bmad.workflow.started"});
  CHECK(NearNames("handoff", kNames).size() == 3);
}

TEST_CASE("what is nothing like it is not told") {
  CHECK(NearNames("zz", kNames).empty());
  CHECK(NearNames("", kNames).empty());
  CHECK(NearNames(std::string(100'000, 'a'), kNames).empty());
}

}  // namespace
}  // namespace god33::cli
