#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace god33::wire {

// Timestamps as callers send them, which may hold anything. Both readings give whole microseconds, which is
// what the store keeps, and are INVALID_ARGUMENT of `field` outside of what protobuf allows: the years 0001
// to 9999, 0 to 999,999,999 nanoseconds.

// The instant, what is finer than a microsecond cut off: for the time of something that is stored, and
// for "as of".
absl::StatusOr<absl::Time> ReadTime(std::string_view field,
                                    const google::protobuf::Timestamp& time);

// A bound of a range [since, until), rounded up: stored times are whole microseconds, so what is at or
// after a bound between two of them is at or after the second one.
absl::StatusOr<absl::Time> ReadTimeBound(std::string_view field,
                                         const google::protobuf::Timestamp& time);

google::protobuf::Timestamp ToProto(absl::Time time);

}  // namespace god33::wire
