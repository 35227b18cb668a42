#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"
#include "json/value.h"

namespace god33::json {

// What Value::Parse promises about the text, without making a Value.
absl::Status Check(std::string_view text, std::size_t most_depth = kMaxDepth);

}  // namespace god33::json
