#include "causation/walk.h"

#include <algorithm>

namespace god33::causation {
namespace {

using Steps = std::vector<Step>;

// The first step from `position`, or from a later one, at or behind `at`.
Steps::const_iterator FirstFrom(Steps::const_iterator at, const Steps& steps,
                                std::int64_t position) {
  // Usually it is near: levels and steps are both in the order of positions.
  if (at == steps.end() || at->from >= position) return at;
  return std::lower_bound(at, steps.end(), Step{position, 0});
}

void Sort(Steps& steps) {
  if (!std::is_sorted(steps.begin(), steps.end())) std::sort(steps.begin(), steps.end());
}

}  // namespace

Walk::Walk(std::int64_t root, std::int32_t max_depth) : max_depth_(max_depth) {
  nodes_.push_back({.position = root});
  seen_.insert(root);
  if (max_depth_ == 0) End();
}

std::span<const Node> Walk::newest() const {
  return std::span<const Node>(nodes_).subspan(newest_);
}

std::size_t Walk::Extend(Steps steps) {
  Sort(steps);
  std::size_t known = 0;
  while (!over()) {
    auto at = steps.cbegin();
    for (const Node& node : newest()) {
      at = FirstFrom(at, steps, node.position);
      if (at == steps.end() || at->from != node.position) return known;
    }
    known += newest().size();
    AddLevel(steps);
  }
  return known;
}

void Walk::Finish(Steps steps) {
  Sort(steps);
  AddLevel(steps);
  End();
}

void Walk::End() {
  newest_ = nodes_.size();
  nodes_.shrink_to_fit();
  seen_ = {};
}

void Walk::AddLevel(const Steps& steps) {
  const std::size_t end = nodes_.size();
  auto at = steps.cbegin();
  for (std::size_t i = newest_; i < end; ++i) {
    const std::int64_t from = nodes_[i].position;
    const std::int32_t depth = nodes_[i].depth + 1;
    // The level is in the order of positions, so the first to reach an event is the lowest one.
    for (at = FirstFrom(at, steps, from); at != steps.end() && at->from == from; ++at) {
      if (at->to == 0) continue;
      ++steps_;
      if (!seen_.insert(at->to).second) continue;
      nodes_.push_back(
          {.position = at->to, .depth = depth, .before = static_cast<std::uint32_t>(i)});
    }
  }
  std::sort(nodes_.begin() + static_cast<std::ptrdiff_t>(end), nodes_.end(),
            [](const Node& a, const Node& b) { return a.position < b.position; });
  newest_ = end;
  if (over() || depth() >= max_depth_) End();
}

std::vector<std::size_t> Walk::PathTo(std::size_t index) const {
  std::vector<std::size_t> path(static_cast<std::size_t>(nodes_[index].depth) + 1);
  for (auto at = path.rbegin(); at != path.rend(); ++at) {
    *at = index;
    index = nodes_[index].before;
  }
  return path;
}

}  // namespace god33::causation
