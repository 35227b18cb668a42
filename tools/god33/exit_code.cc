#include "tools/god33/exit_code.h"

#include <string>

#include "base/error.h"

namespace god33::cli {

namespace {

// Somebody else has done something to it already.
bool IsConflict(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason == "ALREADY_SENT_BACK" || reason == "DROPPED";
}

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
      return ExitCode::kUsage;
    case absl::StatusCode::kOutOfRange:
      return ReasonOf(status) == "RETENTION" ? ExitCode::kNotFound : ExitCode::kUsage;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return ExitCode::kConflict;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
      return ExitCode::kUnavailable;
    case absl::StatusCode::kFailedPrecondition:
      return IsConflict(status) ? ExitCode::kConflict : ExitCode::kFailed;
    default:
      return ExitCode::kFailed;
  }
}

}  // namespace god33::cli
