#include "tools/god33/time_spec.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/timestamp.h"

namespace god33::cli {
namespace {

const absl::Time kNow = *ParseTimestamp("2026-01-27T10:00:00Z");

TEST_CASE("spans are numbers with units") {
  CHECK(*ParseSpan("15m") == absl::Minutes(15));
  CHECK(*ParseSpan("2h") == absl::Hours(2));
  CHECK(*ParseSpan("7d") == absl::Hours(7 * 24));
  CHECK(*ParseSpan("1w") == absl::Hours(7 * 24));
  CHECK(*ParseSpan("1h30m") == absl::Minutes(90));
  CHECK(*ParseSpan("250ms") == absl::Milliseconds(250));
  CHECK(*ParseSpan("0s") == absl::ZeroDuration());
}

TEST_CASE("anything else is no span") {
  for (const char* text : {"", "15", "m", "15 m", "-5m", "+5m", "1.5h", "5y", "5M", "99999999999s",
                           "1h30", "h1", "5m!"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseSpan(text).ok());
  }
}

TEST_CASE("a moment is a time, or so long ago") {
  CHECK(*ParseMoment("15m", kNow) == kNow - absl::Minutes(15));
  CHECK(*ParseMoment("7d", kNow) == *ParseTimestamp("2026-01-20T10:00:00Z"));
  CHECK(*ParseMoment("2026-01-01T00:00:00+01:00", kNow) == *ParseTimestamp("2025-12-31T23:00:00Z"));
}

TEST_CASE("a moment before year one, or none at all, is refused and quoted") {
  CHECK_FALSE(ParseMoment("4000000000w", kNow).ok());
  const auto moment = ParseMoment("yesterday", kNow);
  REQUIRE_FALSE(moment.ok());
  CHECK(MessageOf(moment.status()).find("\"yesterday\"") != std::string_view::npos);
  CHECK(MessageOf(ParseMoment(std::string(500, 'x'), kNow).status()).size() < 200);
}

TEST_CASE("a deadline is a time, or so long from now") {
  CHECK(*ParseDeadline("90m", kNow) == kNow + absl::Minutes(90));
  CHECK(*ParseDeadline("2025-01-01T00:00:00Z", kNow) == *ParseTimestamp("2025-01-01T00:00:00Z"));
  for (const char* text : {"", "tomorrow", "4000000000w"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDeadline(text, kNow).ok());
  }
}

TEST_CASE("a timeout may leave out its unit and has limits") {
  CHECK(*ParseTimeout("10") == absl::Seconds(10));
  CHECK(*ParseTimeout("500ms") == absl::Milliseconds(500));
  CHECK(*ParseTimeout("1h") == absl::Hours(1));
  for (const char* text : {"", "0", "0s", "61m", "-1", "1d", "x", "99999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseTimeout(text).ok());
  }
}

}  // namespace
}  // namespace god33::cli
