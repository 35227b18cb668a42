#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace god33::cli {

// The same error with one line that says what the user can do about it.
absl::Status WithHint(const absl::Status& status, std::string_view hint);

// What is printed for an error: "god33: <message> (<REASON>)", and below it the hint, if there is
// one. Ends with a newline. Text from outside is made visible, so an error is never more than its
// lines.
std::string Report(const absl::Status& status, bool color);

// "god33: warning: <message>", one line.
std::string Warning(std::string_view message, bool color);

}  // namespace god33::cli
