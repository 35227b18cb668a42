#include "tools/god33/report.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace god33::cli {
namespace {

const absl::Status kError =
    MakeError(absl::StatusCode::kNotFound, "EVENT_NOT_FOUND", "no such event");

TEST_CASE("an error is one line with its reason") {
  CHECK(Report(kError, false) == "god33: no such event (EVENT_NOT_FOUND)\n");
}

TEST_CASE("an error without a reason of its own tells its code") {
  CHECK(Report(absl::UnavailableError("gone"), false) == "god33: gone (UNAVAILABLE)\n");
}

TEST_CASE("a hint stands below the error and keeps what the error was") {
  const absl::Status hinted = WithHint(kError, "look elsewhere");
  CHECK(Report(hinted, false) == "god33: no such event (EVENT_NOT_FOUND)\nhint: look elsewhere\n");
  CHECK(hinted.code() == absl::StatusCode::kNotFound);
  CHECK(ReasonOf(hinted) == "EVENT_NOT_FOUND");
}

TEST_CASE("what a service says can't forge lines or reach the terminal") {
  const absl::Status hostile = absl::InternalError("a\ngod33: b\x1b[2J");
  CHECK(Report(hostile, false) == "god33: a\\ngod33: b\\u001b[2J (INTERNAL)\n");
}

TEST_CASE("color marks only the name") {
  CHECK(Report(kError, true) == "\x1b[31mgod33:\x1b[0m no such event (EVENT_NOT_FOUND)\n");
  CHECK(Warning("careful", false) == "god33: warning: careful\n");
  CHECK(Warning("careful", true) == "\x1b[33mgod33: warning:\x1b[0m careful\n");
}

}  // namespace
}  // namespace god33::cli
