#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace god33::cli {

// JSON as YAML that reads back as the same value: numbers stand as they were written, digit for
// digit (readers of YAML 1.1 take 1e5, which has no point, for text; those of 1.2 don't), and
// strings that a reader would take for something else (a number, a date, yes, null) are quoted.
// Characters that are not safe on a terminal are escaped. What YAML can't hold: half a UTF-16 pair
// becomes U+FFFD, and of members with one key the last stays, which is the one JSON readers take.
// Ends with a newline. FAILED_PRECONDITION for text that is no JSON, or is nested deeper than
// json::kUtmostDepth.
absl::StatusOr<std::string> JsonToYaml(std::string_view json);

// The same as the one element of a list, "- a: 1\n  b: 2\n": such texts one after another are a
// list.
absl::StatusOr<std::string> JsonToYamlItem(std::string_view json);

}  // namespace god33::cli
