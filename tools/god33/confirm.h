#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "tools/god33/session.h"

namespace god33::cli {

// Arguments that don't go together: InvalidArgument (USAGE).
absl::Status Usage(std::string_view message);

// Asks a person on the terminal whether to go on with what `consequence` says ("This will drop 7 dead
// letters."). CANCELLED (NOT_CONFIRMED_BY_USER) unless the answer is yes; InvalidArgument (USAGE) when
// there is no terminal to ask at: a script says --yes.
absl::Status Confirm(std::string_view consequence, Session& session);

}  // namespace god33::cli
