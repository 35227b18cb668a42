#include "projection/limits.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace god33::projection {
namespace {

TEST_CASE("a text fits if it has no more characters than the column") {
  CHECK(CheckFits("phase", "", 0).ok());
  CHECK(CheckFits("phase", "abc", 3).ok());
  CHECK(CheckFits("phase", "abcd", 3).code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("characters are counted, not bytes") {
  CHECK(CheckFits("phase", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 3).ok());
  CHECK_FALSE(CheckFits("phase", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 2).ok());
}

TEST_CASE("a NUL fits in no column") {
  const absl::Status status = CheckFits("phase", std::string("a\0b", 3), 50);
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(MessageOf(status).starts_with("phase "));
}

}  // namespace
}  // namespace god33::projection
