#pragma once

#include "absl/status/status.h"

namespace god33::cli {

// How the process ends. Scripts rely on these numbers: a new kind of failure gets one of them.
enum class ExitCode {
  kOk = 0,
  kFailed = 1,    // none of the following
  kUsage = 2,     // bad arguments, or input that is refused
  kNotFound = 3,  // what was asked for is not there
  kConflict = 4,  // something else is there already, or has changed meanwhile
  kUnavailable =
      5,  // a service, the broker or the database can't be reached, or is too slow or busy
};

ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace god33::cli
