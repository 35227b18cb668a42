#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace god33::projection {

// FAILED_PRECONDITION if `text` has more than `most` characters or a NUL: no column could hold it.
absl::Status CheckFits(std::string_view field, const std::string& text, std::size_t most);

}  // namespace god33::projection
