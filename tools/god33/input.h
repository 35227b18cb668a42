#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace god33::cli {

// The text that an argument stands for: "@file" is the file's content, "-" and "@-" are what comes
// on standard input, anything else is the text itself. InvalidArgument names `argument` if the text
// can't be read (INPUT) or is longer than `most` bytes (TOO_LARGE); never more than that is read.
absl::StatusOr<std::string> ReadTextArgument(const std::string& argument, const std::string& value,
                                             std::size_t most);

}  // namespace god33::cli
