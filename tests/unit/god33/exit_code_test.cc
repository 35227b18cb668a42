#include "tools/god33/exit_code.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace god33::cli {
namespace {

int CodeOf(absl::StatusCode code) {
  return static_cast<int>(ExitCodeOf(absl::Status(code, "x")));
}

TEST_CASE("exit codes are the documented numbers") {
  CHECK(static_cast<int>(ExitCodeOf(absl::OkStatus())) == 0);
  CHECK(CodeOf(absl::StatusCode::kInvalidArgument) == 2);
  CHECK(CodeOf(absl::StatusCode::kOutOfRange) == 2);
  CHECK(CodeOf(absl::StatusCode::kNotFound) == 3);
  CHECK(CodeOf(absl::StatusCode::kAlreadyExists) == 4);
  CHECK(CodeOf(absl::StatusCode::kAborted) == 4);
  CHECK(CodeOf(absl::StatusCode::kUnavailable) == 5);
  CHECK(CodeOf(absl::StatusCode::kDeadlineExceeded) == 5);
  CHECK(CodeOf(absl::StatusCode::kResourceExhausted) == 5);
}

TEST_CASE("what somebody else has done already is a conflict") {
  for (const char* reason : {"ALREADY_SENT_BACK", "DROPPED"}) {
    CHECK(static_cast<int>(
              ExitCodeOf(MakeError(absl::StatusCode::kFailedPrecondition, reason, "x"))) == 4);
  }
}

TEST_CASE("what retention has dropped is not found") {
  CHECK(static_cast<int>(ExitCodeOf(MakeError(absl::StatusCode::kOutOfRange, "RETENTION", "x"))) ==
        3);
}

TEST_CASE("every other error is a plain failure") {
  for (const auto code : {absl::StatusCode::kCancelled, absl::StatusCode::kUnknown,
                          absl::StatusCode::kPermissionDenied, absl::StatusCode::kUnauthenticated,
                          absl::StatusCode::kFailedPrecondition, absl::StatusCode::kUnimplemented,
                          absl::StatusCode::kInternal, absl::StatusCode::kDataLoss}) {
    CHECK(CodeOf(code) == 1);
  }
}

}  // namespace
}  // namespace god33::cli
