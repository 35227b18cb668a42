#include "base/backoff.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "testing/random.h"

namespace god33 {
namespace {

constexpr double kAlmostOne = 0.999999999999;

TEST_CASE("waits double from the first up to the most") {
  Backoff backoff(absl::Milliseconds(100), absl::Milliseconds(700), [] { return kAlmostOne; });
  for (const int expected : {100, 200, 400, 700, 700, 700}) {
    const absl::Duration wait = backoff.Next();
    CHECK(wait <= absl::Milliseconds(expected));
    CHECK(wait > absl::Milliseconds(expected) - absl::Microseconds(1));
  }
}

TEST_CASE("a wait is never below half of its bound") {
  Backoff backoff(absl::Milliseconds(100), absl::Milliseconds(700), [] { return 0.0; });
  for (const int expected : {50, 100, 200, 350, 350}) {
    CHECK(backoff.Next() == absl::Milliseconds(expected));
  }
}

TEST_CASE("waits are spread evenly over the upper half") {
  testing::Random random(1);
  Backoff backoff(absl::Seconds(1), absl::Seconds(1),
                  [&random] { return static_cast<double>(random.Below(1 << 20)) / (1 << 20); });
  int below_middle = 0;
  for (int i = 0; i < 2000; ++i) {
    const absl::Duration wait = backoff.Next();
    REQUIRE(wait >= absl::Milliseconds(500));
    REQUIRE(wait < absl::Seconds(1));
    below_middle += wait < absl::Milliseconds(750);
  }
  CHECK(below_middle > 850);
  CHECK(below_middle < 1150);
}

TEST_CASE("after a success the next wait is short again") {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(10), [] { return 0.0; });
  backoff.Next();
  backoff.Next();
  backoff.Reset();
  CHECK(backoff.Next() == absl::Milliseconds(50));
  CHECK(backoff.Next() == absl::Milliseconds(100));
}

TEST_CASE("waits stay at the most for ever") {
  Backoff backoff(absl::Milliseconds(1), absl::Hours(1), [] { return 0.0; });
  for (int i = 0; i < 10000; ++i) backoff.Next();
  CHECK(backoff.Next() == absl::Minutes(30));
}

TEST_CASE("random fractions are at least 0 and below 1, and differ") {
  double least = 1;
  double most = 0;
  for (int i = 0; i < 10000; ++i) {
    const double fraction = RandomFraction();
    REQUIRE(fraction >= 0);
    REQUIRE(fraction < 1);
    least = std::min(least, fraction);
    most = std::max(most, fraction);
  }
  CHECK(least < 0.1);
  CHECK(most > 0.9);
}

}  // namespace
}  // namespace god33
