#include "causation/walk.h"

#include <catch2/catch.hpp>
#include <utility>

namespace god33::causation {
namespace {

using Positions = std::vector<std::int64_t>;

// All there is to know: the steps, and that every event has no others.
std::vector<Step> Whole(std::vector<Step> steps) {
  const std::size_t given = steps.size();
  for (std::size_t i = 0; i < given; ++i) {
    steps.push_back({steps[i].from, 0});
    if (steps[i].to != 0) steps.push_back({steps[i].to, 0});
  }
  return steps;
}

Walk WalkOver(std::int64_t root, std::vector<Step> steps, std::int32_t max_depth = 100) {
  steps.push_back({root, 0});
  Walk walk(root, max_depth);
  walk.Extend(Whole(std::move(steps)));
  CHECK(walk.over());
  return walk;
}

Positions PositionsOf(const Walk& walk) {
  Positions positions;
  for (const Node& node : walk.nodes()) positions.push_back(node.position);
  return positions;
}

Positions PathTo(const Walk& walk, std::int64_t position) {
  for (std::size_t i = 0; i < walk.nodes().size(); ++i) {
    if (walk.nodes()[i].position != position) continue;
    Positions path;
    for (const std::size_t at : walk.PathTo(i)) path.push_back(walk.nodes()[at].position);
    return path;
  }
  return {};
}

TEST_CASE("an event without neighbours is reached alone") {
  const Walk walk = WalkOver(7, {});
  CHECK(PositionsOf(walk) == Positions{7});
  CHECK(walk.depth() == 0);
  CHECK(PathTo(walk, 7) == Positions{7});
}

TEST_CASE("events come by depth, then position") {
  const Walk walk = WalkOver(1, {{1, 9}, {1, 4}, {4, 8}, {9, 2}, {2, 3}});
  CHECK(PositionsOf(walk) == Positions{1, 4, 9, 2, 8, 3});
  CHECK(walk.depth() == 3);
  CHECK(PathTo(walk, 3) == Positions{1, 9, 2, 3});
}

TEST_CASE("of equally short paths the one through the lowest position is taken") {
  const Walk walk = WalkOver(1, {{1, 5}, {1, 3}, {1, 4}, {5, 9}, {4, 9}, {3, 8}});
  CHECK(PathTo(walk, 9) == Positions{1, 4, 9});
}

TEST_CASE("a shorter path through high positions wins over a longer one through low ones") {
  const Walk walk = WalkOver(1, {{1, 2}, {2, 3}, {3, 10}, {1, 9}, {9, 10}});
  CHECK(PathTo(walk, 10) == Positions{1, 9, 10});
}

TEST_CASE("cycles, steps to itself and steps told twice change nothing") {
  const Walk walk = WalkOver(1, {{1, 1}, {1, 2}, {2, 1}, {2, 3}, {2, 3}, {3, 3}, {3, 2}});
  CHECK(PositionsOf(walk) == Positions{1, 2, 3});
}

TEST_CASE("nothing beyond the greatest depth is reached") {
  const std::vector<Step> chain = {{1, 2}, {2, 3}, {3, 4}};
  CHECK(PositionsOf(WalkOver(1, chain, 2)) == Positions{1, 2, 3});
  CHECK(PositionsOf(WalkOver(1, chain, 3)) == Positions{1, 2, 3, 4});
  CHECK(Walk(1, 0).over());
}

TEST_CASE("a walk waits for the steps of its newest level") {
  Walk walk(1, 100);
  CHECK(walk.Extend({{2, 3}}) == 0);
  CHECK(walk.Extend({{1, 2}, {1, 5}}) == 1);
  REQUIRE(walk.newest().size() == 2);
  CHECK(walk.newest()[0].position == 2);
  CHECK(walk.newest()[1].position == 5);
  CHECK(walk.Extend({{2, 3}}) == 0);
  CHECK(PositionsOf(walk) == Positions{1, 2, 5});
  CHECK(walk.Extend({{5, 0}, {2, 3}, {3, 0}}) == 3);
  CHECK(walk.over());
  CHECK(PositionsOf(walk) == Positions{1, 2, 5, 3});
}

TEST_CASE("a walk that is cut short keeps what it was told last") {
  Walk walk(1, 100);
  walk.Extend({{1, 2}, {1, 3}});
  walk.Finish({{2, 9}, {2, 8}});
  CHECK(walk.over());
  CHECK(PositionsOf(walk) == Positions{1, 2, 3, 8, 9});
}

}  // namespace
}  // namespace god33::causation
