#include "tools/god33/near_names.h"

#include <algorithm>
#include <utility>

namespace god33::cli {
namespace {

constexpr std::size_t kMost = 3;
constexpr std::size_t kLongest = 255;  // an event type's; anything longer is no slip

// How many letters must be put in, taken out or replaced to make one of the other (Levenshtein).
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

bool Holds(std::string_view whole, std::string_view part) {
  return part.size() > 2 && whole.find(part) != std::string_view::npos;
}

}  // namespace

std::vector<std::string> NearNames(std::string_view name, const std::vector<std::string>& names) {
  std::vector<std::pair<std::size_t, std::string>> near;
  if (name.size() > kLongest) return {};
  for (const std::string& candidate : names) {
    const std::size_t distance = Distance(name, candidate);
    if (distance <= candidate.size() / 3 || Holds(candidate, name) || Holds(name, candidate)) {
      near.emplace_back(distance, candidate);
    }
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> result;
  for (auto& [distance, candidate] : near) {
    if (result.size() < kMost) result.push_back(std::move(candidate));
  }
  return result;
}

}  // namespace god33::cli
