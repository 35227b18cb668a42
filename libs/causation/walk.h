#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace god33::causation {

// That one leads from event `from` to its neighbour `to`, away from the root: from a parent to a child
// when walking to descendants, from a child to a parent when walking to ancestors. Events are named by
// their positions, which are above 0.
struct Step {
  std::int64_t from = 0;
  std::int64_t to = 0;  // 0: `from` has no neighbours

  friend auto operator<=>(const Step&, const Step&) = default;
};

// An event that was reached.
struct Node {
  std::int64_t position = 0;
  std::int32_t depth = 0;  // steps away from the root

  // Where in Walk::nodes() the one before it on its path is; the root's is 0. The path is one of the
  // shortest: of several neighbours that are one level nearer to the root, this is the one with the
  // lowest position.
  std::uint32_t before = 0;
};

// A breadth-first walk over causes or effects. Each event is reached once, at its least depth, however
// many paths lead to it; cycles and edges from an event to itself change nothing. The walk asks for the
// steps from its newest level and is told as many as the caller likes to fetch at once.
class Walk {
 public:
  // At most so many nodes fit; more are an error of the caller.
  static constexpr std::size_t kMostNodes = std::numeric_limits<std::uint32_t>::max();

  // `max_depth` is at least 0; no event beyond it is reached.
  Walk(std::int64_t root, std::int32_t max_depth);

  // The events whose steps are to be told next, by position. Empty: the walk is over.
  std::span<const Node> newest() const;
  bool over() const { return newest().empty(); }

  // Goes on for as many levels as `steps`, in any order, tells all about: of an event that is `from` in
  // one of them, they must hold all steps; an event that is `from` in none of them is not known yet.
  // Steps from events that are not on the newest level do no harm. Returns how many events were reached
  // or found to lead nowhere further; 0: some event of the newest level is not known.
  std::size_t Extend(std::vector<Step> steps);

  // Goes one last level with what is known, although steps may be missing. Then the walk is over.
  void Finish(std::vector<Step> steps);

  // All events reached, the root first, by depth and position.
  const std::vector<Node>& nodes() const { return nodes_; }

  // How many steps it has taken account of.
  std::size_t steps() const { return steps_; }

  // The depth of the deepest event.
  std::int32_t depth() const { return nodes_.back().depth; }

  // The indexes in nodes() of the events from the root to this one, both included.
  std::vector<std::size_t> PathTo(std::size_t index) const;

 private:
  // Adds the level that the newest one leads to. `steps` are sorted.
  void AddLevel(const std::vector<Step>& steps);
  void End();

  std::int32_t max_depth_;
  std::vector<Node> nodes_;
  std::size_t newest_ = 0;  // where the newest level begins
  std::size_t steps_ = 0;
  absl::flat_hash_set<std::int64_t> seen_;
};

}  // namespace god33::causation
