#include "wire/timestamp.h"

#include <cstdint>

#include "base/error.h"
#include "base/timestamp.h"

namespace god33::wire {
namespace {

using google::protobuf::Timestamp;

absl::StatusOr<absl::Time> Read(std::string_view field, const Timestamp& time, int micros) {
  const absl::Time second = absl::FromUnixSeconds(time.seconds());
  if (!InTimestampRange(second) || time.nanos() < 0 || time.nanos() > 999'999'999) {
    return InvalidField(field, "expected a time in the years 0001 to 9999");
  }
  return second + absl::Microseconds(micros);
}

}  // namespace

absl::StatusOr<absl::Time> ReadTime(std::string_view field, const Timestamp& time) {
  return Read(field, time, time.nanos() / 1000);
}

absl::StatusOr<absl::Time> ReadTimeBound(std::string_view field, const Timestamp& time) {
  // Not (nanos + 999) / 1000, which overflows on hostile ones.
  return Read(field, time, time.nanos() / 1000 + (time.nanos() % 1000 > 0 ? 1 : 0));
}

Timestamp ToProto(absl::Time time) {
  Timestamp proto;
  const std::int64_t seconds = absl::ToUnixSeconds(time);
  proto.set_seconds(seconds);
  proto.set_nanos(
      static_cast<int>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return proto;
}

}  // namespace god33::wire
