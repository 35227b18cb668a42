#include "wire/timestamp.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>

#include "base/error.h"
#include "unit/printers.h"

namespace god33::wire {
namespace {

using google::protobuf::Timestamp;

constexpr std::int64_t kFirst = -62135596800;  // 0001-01-01T00:00:00Z
constexpr std::int64_t kLast = 253402300799;   // 9999-12-31T23:59:59Z

Timestamp At(std::int64_t seconds, int nanos) {
  Timestamp time;
  time.set_seconds(seconds);
  time.set_nanos(nanos);
  return time;
}

TEST_CASE("a time is cut to microseconds, a bound is rounded up") {
  struct Case {
    Timestamp proto;
    std::int64_t cut;
    std::int64_t rounded;
  };
  for (const Case& c : {
           Case{At(1, 0), 1'000'000, 1'000'000},
           Case{At(1, 1), 1'000'000, 1'000'001},
           Case{At(1, 999), 1'000'000, 1'000'001},
           Case{At(1, 1000), 1'000'001, 1'000'001},
           Case{At(1, 999'999'999), 1'999'999, 2'000'000},
           Case{At(-1, 1), -1'000'000, -999'999},
           Case{At(kFirst, 0), kFirst * 1'000'000, kFirst * 1'000'000},
           Case{At(kLast, 999'999'999), kLast * 1'000'000 + 999'999, (kLast + 1) * 1'000'000},
       }) {
    INFO(c.proto.ShortDebugString());
    CHECK(absl::ToUnixMicros(ReadTime("t", c.proto).value()) == c.cut);
    CHECK(absl::ToUnixMicros(ReadTimeBound("t", c.proto).value()) == c.rounded);
  }
}

TEST_CASE("what protobuf does not allow is refused by name") {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMostNanos = std::numeric_limits<int>::max();
  constexpr auto kLeastNanos = std::numeric_limits<int>::min();
  for (const Timestamp& proto :
       {At(kFirst - 1, 999'999'999), At(kLast + 1, 0), At(kMost, 0), At(kLeast, 0), At(0, -1),
        At(0, 1'000'000'000), At(0, kMostNanos), At(0, kLeastNanos)}) {
    INFO(proto.ShortDebugString());
    for (const auto& status :
         {ReadTime("end_time", proto).status(), ReadTimeBound("end_time", proto).status()}) {
      CHECK(absl::IsInvalidArgument(status));
      CHECK(FieldOf(status) == "end_time");
    }
  }
}

TEST_CASE("what is written is what is read") {
  for (const std::int64_t micros : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1},
                                    kFirst * 1'000'000, kLast * 1'000'000 + 999'999}) {
    const absl::Time time = absl::FromUnixMicros(micros);
    CHECK(ReadTime("t", ToProto(time)).value() == time);
    CHECK(ReadTimeBound("t", ToProto(time)).value() == time);
  }
}

TEST_CASE("times before 1970 have nanoseconds that count forward") {
  const Timestamp time = ToProto(absl::FromUnixMicros(-1));
  CHECK(time.seconds() == -1);
  CHECK(time.nanos() == 999'999'000);
}

}  // namespace
}  // namespace god33::wire
