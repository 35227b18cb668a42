#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "causation/walk.h"
#include "testing/random.h"

namespace god33::causation {
namespace {

using testing::Random;

using Graph = std::map<std::int64_t, std::set<std::int64_t>>;  // from -> to

// Depths by relaxing every edge until nothing changes any more: slow, and plainly right.
std::map<std::int64_t, std::int32_t> DepthsOf(const Graph& graph, std::int64_t root,
                                              std::int32_t max_depth) {
  std::map<std::int64_t, std::int32_t> depths = {{root, 0}};
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [from, targets] : graph) {
      if (!depths.contains(from) || depths[from] == max_depth) continue;
      for (const std::int64_t to : targets) {
        if (depths.contains(to) && depths[to] <= depths[from] + 1) continue;
        depths[to] = depths[from] + 1;
        changed = true;
      }
    }
  }
  return depths;
}

Graph RandomGraph(Random& random) {
  Graph graph;
  const auto events = random.Between(1, 60);
  const auto edges = random.Between(0, 150);
  const bool hostile = random.OneIn(2);  // with cycles and events that cause themselves
  for (std::int64_t i = 0; i < edges; ++i) {
    auto from = random.Between(1, events);
    auto to = random.Between(1, events);
    if (!hostile && from == to) continue;
    if (!hostile && from > to) std::swap(from, to);
    graph[from].insert(to);
  }
  return graph;
}

Graph Reversed(const Graph& graph) {
  Graph reversed;
  for (const auto& [from, targets] : graph) {
    for (const std::int64_t to : targets) reversed[to].insert(from);
  }
  return reversed;
}

// All steps from an event, or that there are none.
void Tell(const Graph& graph, std::int64_t from, std::vector<Step>& steps) {
  const auto at = graph.find(from);
  if (at == graph.end()) return steps.push_back({from, 0});
  for (const std::int64_t to : at->second) steps.push_back({from, to});
}

// Walks, telling the newest level and at random some more.
Walk WalkOver(const Graph& graph, std::int64_t root, std::int32_t max_depth, Random& random) {
  Walk walk(root, max_depth);
  while (!walk.over()) {
    std::set<std::int64_t> told;
    for (const Node& node : walk.newest()) told.insert(node.position);
    for (std::int64_t more = random.Between(0, 60); more > 0; --more) {
      told.insert(random.Between(1, 60));
    }
    std::vector<Step> steps;
    for (const std::int64_t from : told) Tell(graph, from, steps);
    random.Shuffle(steps);
    REQUIRE(walk.Extend(std::move(steps)) > 0);
  }
  return walk;
}

void CheckWalk(const Walk& walk, const Graph& graph, std::int64_t root, std::int32_t max_depth) {
  const auto depths = DepthsOf(graph, root, max_depth);
  std::vector<std::pair<std::int32_t, std::int64_t>> expected;
  for (const auto& [position, depth] : depths) expected.emplace_back(depth, position);
  std::sort(expected.begin(), expected.end());
  std::vector<std::pair<std::int32_t, std::int64_t>> found;
  for (const Node& node : walk.nodes()) found.emplace_back(node.depth, node.position);
  REQUIRE(found == expected);
  CHECK(walk.depth() == expected.back().first);

  for (std::size_t i = 1; i < walk.nodes().size(); ++i) {
    const Node& node = walk.nodes()[i];
    std::int64_t lowest = 0;
    for (const auto& [from, targets] : graph) {
      const auto at = depths.find(from);
      if (at == depths.end() || at->second + 1 != node.depth) continue;
      if (targets.contains(node.position)) lowest = lowest == 0 ? from : std::min(lowest, from);
    }
    CHECK(walk.nodes()[node.before].position == lowest);
    const auto path = walk.PathTo(i);
    CHECK(path.size() == static_cast<std::size_t>(node.depth) + 1);
    CHECK(path.front() == 0);
    CHECK(path.back() == i);
  }
}

TEST_CASE("walks find what a plain search finds, in both directions") {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const Graph graph = RandomGraph(random);
    const auto root = random.Between(1, 60);
    const auto max_depth = static_cast<std::int32_t>(random.OneIn(2) ? random.Between(0, 6) : 1000);
    CheckWalk(WalkOver(graph, root, max_depth, random), graph, root, max_depth);
    const Graph reversed = Reversed(graph);
    CheckWalk(WalkOver(reversed, root, max_depth, random), reversed, root, max_depth);
  }
}

TEST_CASE("a diamond of many layers is walked once, not once for each path") {
  Graph graph;
  for (std::int64_t layer = 0; layer < 5000; ++layer) {
    const std::int64_t at = 1 + 3 * layer;
    graph[at] = {at + 1, at + 2};
    graph[at + 1] = graph[at + 2] = {at + 3};
  }
  std::vector<Step> steps;
  for (std::int64_t position = 1; position <= 15'001; ++position) Tell(graph, position, steps);
  Walk walk(1, 10'000);
  walk.Extend(std::move(steps));
  CHECK(walk.over());
  CHECK(walk.nodes().size() == 15'001);
  CHECK(walk.depth() == 10'000);
}

}  // namespace
}  // namespace god33::causation
