#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace god33 {

// Reads an RFC 3339 instant. Beyond the RFC it accepts what producers on Bloodbank send: a blank in
// place of the T, no offset at all (then UTC), and any number of fraction digits (cut to
// microseconds, which is what PostgreSQL keeps). Years 0001 to 9999; 23:59:60 is the next minute's
// start. InvalidArgument says what was expected.
absl::StatusOr<absl::Time> ParseTimestamp(std::string_view text);

// RFC 3339 in UTC with Z and 0, 3 or 6 fraction digits, whichever is the shortest exact one; digits
// below a microsecond are dropped.
std::string FormatTimestamp(absl::Time time);

// Whether `time` lies in the years 0001 to 9999: outside them no timestamp can be written.
bool InTimestampRange(absl::Time time);

}  // namespace god33
