#include "base/wakeup.h"

#include <poll.h>

#include <catch2/catch.hpp>
#include <thread>

namespace god33 {
namespace {

bool Readable(const Wakeup& wakeup, int timeout_ms) {
  pollfd entry{.fd = wakeup.fd(), .events = POLLIN, .revents = 0};
  return poll(&entry, 1, timeout_ms) == 1;
}

TEST_CASE("a signal is pending until it is cleared") {
  Wakeup wakeup;
  CHECK_FALSE(Readable(wakeup, 0));
  wakeup.Signal();
  CHECK(Readable(wakeup, 0));
  CHECK(Readable(wakeup, 0));
  wakeup.Clear();
  CHECK_FALSE(Readable(wakeup, 0));
}

TEST_CASE("several signals count as one") {
  Wakeup wakeup;
  for (int i = 0; i < 1000; ++i) wakeup.Signal();
  wakeup.Clear();
  CHECK_FALSE(Readable(wakeup, 0));
}

TEST_CASE("clearing without a signal does not wait") {
  Wakeup wakeup;
  wakeup.Clear();
  CHECK_FALSE(Readable(wakeup, 0));
}

TEST_CASE("a signal ends a wait that has begun") {
  Wakeup wakeup;
  std::thread signaller([&wakeup] { wakeup.Signal(); });
  CHECK(Readable(wakeup, -1));
  signaller.join();
}

}  // namespace
}  // namespace god33
