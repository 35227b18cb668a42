#include "transcode/known_types.h"

#include <catch2/catch.hpp>
#include <limits>

namespace god33::transcode {
namespace {

TEST_CASE("durations are written with the fewest groups of digits and read back") {
  for (const auto& [seconds, nanos, text] : {
           std::tuple<std::int64_t, std::int32_t, std::string>{0, 0, "0s"},
           {1, 500'000'000, "1.500s"},
           {-1, -500'000'000, "-1.500s"},
           {0, -1, "-0.000000001s"},
           {3, 1'000, "3.000001s"},
           {315'576'000'000, 999'999'999, "315576000000.999999999s"},
       }) {
    CHECK(FormatDuration({seconds, nanos}) == text);
    const auto parts = ParseDuration(text);
    REQUIRE(parts.has_value());
    CHECK(parts->seconds == seconds);
    CHECK(parts->nanos == nanos);
  }
  CHECK(ParseDuration("1.5s")->nanos == 500'000'000);
  CHECK(ParseDuration("0.5s")->seconds == 0);
}

TEST_CASE("what is no duration is refused") {
  for (const char* text : {"", "s", "1", "1m", "1.s", ".5s", "1.0000000001s", "+1s", "--1s", "1e3s",
                           " 1s", "1 s", "1.-5s", "315576000001s", "99999999999999999999s"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDuration(text).has_value());
  }
}

TEST_CASE("a duration that breaks all rules is still written") {
  using Seconds = std::numeric_limits<std::int64_t>;
  using Nanos = std::numeric_limits<std::int32_t>;
  CHECK(FormatDuration({Seconds::min(), Nanos::min()}) == "-9223372036854775808.147483648s");
}

}  // namespace
}  // namespace god33::transcode
