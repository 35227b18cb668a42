#include "base/breaker.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "testing/fake_clock.h"

namespace god33 {
namespace {

using State = CircuitBreaker::State;

// Waits are exactly 1 s, 2 s, 4 s, 4 s, ...
struct Fixture {
  testing::FakeClock clock;
  CircuitBreaker breaker{clock, Backoff(absl::Seconds(2), absl::Seconds(8), [] { return 0.0; })};

  void FailProbe(absl::Duration wait) {
    clock.Advance(wait);
    REQUIRE(breaker.Allow());
    breaker.Failed();
  }
};

TEST_CASE_METHOD(Fixture, "a closed breaker lets every call through") {
  CHECK(breaker.state() == State::kClosed);
  for (int i = 0; i < 3; ++i) CHECK(breaker.Allow());
  CHECK(breaker.RetryAfter() == absl::ZeroDuration());
  breaker.Succeeded();
  CHECK(breaker.state() == State::kClosed);
}

TEST_CASE_METHOD(Fixture, "a failure opens the breaker until the wait is over") {
  breaker.Failed();
  CHECK(breaker.state() == State::kOpen);
  CHECK_FALSE(breaker.Allow());
  CHECK(breaker.RetryAfter() == absl::Seconds(1));

  clock.Advance(absl::Milliseconds(999));
  CHECK_FALSE(breaker.Allow());
  CHECK(breaker.RetryAfter() == absl::Milliseconds(1));
  CHECK(breaker.state() == State::kOpen);

  clock.Advance(absl::Milliseconds(1));
  CHECK(breaker.RetryAfter() == absl::ZeroDuration());
  CHECK(breaker.Allow());
  CHECK(breaker.state() == State::kHalfOpen);
}

TEST_CASE_METHOD(Fixture, "one call only may probe a half-open breaker") {
  breaker.Failed();
  clock.Advance(absl::Hours(1));
  CHECK(breaker.Allow());
  CHECK_FALSE(breaker.Allow());
  clock.Advance(absl::Hours(1));
  CHECK_FALSE(breaker.Allow());
}

TEST_CASE_METHOD(Fixture, "of many callers at once, one may probe") {
  for (int round = 0; round < 20; ++round) {
    breaker.Failed();
    clock.Advance(absl::Hours(1));
    std::atomic<int> probes = 0;
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([this, &probes] { probes += breaker.Allow() ? 1 : 0; });
    }
    for (std::thread& caller : callers) caller.join();
    CHECK(probes == 1);
  }
}

TEST_CASE_METHOD(Fixture, "a probe that succeeds closes the breaker") {
  breaker.Failed();
  clock.Advance(absl::Seconds(1));
  REQUIRE(breaker.Allow());
  breaker.Succeeded();
  CHECK(breaker.state() == State::kClosed);
  for (int i = 0; i < 3; ++i) CHECK(breaker.Allow());
}

TEST_CASE_METHOD(Fixture, "each failure in a row makes the wait longer, up to the most") {
  breaker.Failed();
  CHECK(breaker.RetryAfter() == absl::Seconds(1));
  FailProbe(absl::Seconds(1));
  CHECK(breaker.state() == State::kOpen);
  CHECK(breaker.RetryAfter() == absl::Seconds(2));
  FailProbe(absl::Seconds(2));
  CHECK(breaker.RetryAfter() == absl::Seconds(4));
  FailProbe(absl::Seconds(4));
  CHECK(breaker.RetryAfter() == absl::Seconds(4));
}

TEST_CASE_METHOD(Fixture, "after a success the waits begin anew") {
  breaker.Failed();
  FailProbe(absl::Seconds(1));
  clock.Advance(absl::Seconds(2));
  REQUIRE(breaker.Allow());
  breaker.Succeeded();
  breaker.Failed();
  CHECK(breaker.RetryAfter() == absl::Seconds(1));
}

TEST_CASE_METHOD(Fixture, "a clock that goes back lengthens the wait and breaks nothing") {
  breaker.Failed();
  clock.Advance(-absl::Seconds(10));
  CHECK_FALSE(breaker.Allow());
  CHECK(breaker.RetryAfter() == absl::Seconds(11));
  clock.Advance(absl::Seconds(11));
  CHECK(breaker.Allow());
}

}  // namespace
}  // namespace god33
