#include "base/stop.h"

#include <catch2/catch.hpp>
#include <thread>

namespace god33 {
namespace {

TEST_CASE("a stop is not requested until it is, and then stays requested") {
  Stop stop;
  CHECK_FALSE(stop.requested());
  CHECK_FALSE(stop.WaitFor(absl::ZeroDuration()));
  CHECK_FALSE(stop.WaitFor(absl::Milliseconds(1)));
  stop.Request();
  CHECK(stop.requested());
  stop.Request();
  CHECK(stop.requested());
}

TEST_CASE("waiting for a stop that was requested before takes no time") {
  Stop stop;
  stop.Request();
  CHECK(stop.WaitFor(absl::InfiniteDuration()));
}

TEST_CASE("a request ends every wait") {
  Stop stop;
  bool first = false;
  bool second = false;
  std::thread a([&] { first = stop.WaitFor(absl::InfiniteDuration()); });
  std::thread b([&] { second = stop.WaitFor(absl::InfiniteDuration()); });
  stop.Request();
  a.join();
  b.join();
  CHECK(first);
  CHECK(second);
}

}  // namespace
}  // namespace god33
