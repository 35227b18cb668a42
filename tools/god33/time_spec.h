#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace god33::cli {

// A length of time: whole numbers with units ms, s, m, h, d or w, as in "90s", "2h" or "1h30m".
// InvalidArgument says what was expected.
absl::StatusOr<absl::Duration> ParseSpan(std::string_view text);

// A point in time: RFC 3339, or a span, which means that long before `now`.
absl::StatusOr<absl::Time> ParseMoment(std::string_view text, absl::Time now);

// A point in time to come: RFC 3339, or a span, which means that long after `now`.
absl::StatusOr<absl::Time> ParseDeadline(std::string_view text, absl::Time now);

// How long to wait for an answer: a span, or seconds without a unit; more than zero, at most an
// hour.
absl::StatusOr<absl::Duration> ParseTimeout(std::string_view text);

}  // namespace god33::cli
