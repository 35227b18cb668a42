#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace god33::json {

// What Value::Parse promises about the text, without making a Value.
absl::Status Check(std::string_view text);

}  // namespace god33::json
