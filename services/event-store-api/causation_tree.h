#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace god33::api {

// An event of a tree, whose JSON is made.
struct TreeEvent {
  std::string json;
  int depth = 0;
  std::size_t before = 0;  // where its parent stands in the list; the root's is 0
};

// How many bytes an event takes in a tree beside its own JSON, at most.
inline constexpr std::size_t kTreeEventBytes = 64;

// The events, the root first and parents before their children, as JSON: {event, depth, children}, the
// root also with `truncated`. Children stand in the order of the list. Needs no stack, however deep the
// tree is.
std::string WriteTree(const std::vector<TreeEvent>& events, bool truncated);

}  // namespace god33::api
