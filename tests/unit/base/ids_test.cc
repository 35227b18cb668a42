#include "base/ids.h"

#include <catch2/catch.hpp>

#include "absl/container/flat_hash_set.h"
#include "testing/fake_clock.h"
#include "unit/printers.h"

namespace god33 {
namespace {

TEST_CASE("time-ordered ids are version 7 of RFC 9562") {
  // 1645557742000 ms is the RFC's own example: 017f22e2-79b0-7...
  testing::FakeClock clock(absl::FromUnixMillis(1645557742000));
  TimeOrderedIds ids(clock);
  for (int i = 0; i < 1000; ++i) {
    const Uuid id = ids.New();
    REQUIRE(id.ToString().substr(0, 15) == "017f22e2-79b0-7");
    REQUIRE(id.bytes[8] >> 6 == 2);
  }
}

TEST_CASE("ids of a later millisecond are greater") {
  testing::FakeClock clock;
  TimeOrderedIds ids(clock);
  Uuid last = ids.New();
  for (int i = 0; i < 1000; ++i) {
    clock.Advance(absl::Milliseconds(1 + i * i));
    const Uuid next = ids.New();
    REQUIRE(last < next);
    last = next;
  }
}

TEST_CASE("ids of one millisecond differ") {
  testing::FakeClock clock;
  TimeOrderedIds ids(clock);
  absl::flat_hash_set<Uuid> seen;
  for (int i = 0; i < 1000; ++i) REQUIRE(seen.insert(ids.New()).second);
}

}  // namespace
}  // namespace god33
