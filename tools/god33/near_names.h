#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace god33::cli {

// Up to three of `names` that somebody who wrote `name` may have meant, the nearest first: few letters
// differ, or one holds the other.
std::vector<std::string> NearNames(std::string_view name, const std::vector<std::string>& names);

}  // namespace god33::cli
