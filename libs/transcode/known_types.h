#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "google/protobuf/descriptor.h"

namespace god33::transcode {

// Messages whose JSON form is not an object of their fields. All others, also the rest of Google's
// well-known types, are written and read field by field.
enum class Known {
  kNone,
  kTimestamp,  // RFC 3339, through base/timestamp.h
  kDuration,   // seconds, "1.5s"
  kWrapper,    // google.protobuf.StringValue and its like: the value
  kJson,       // god33.event.v1.Json: its text, inline
};

Known KnownType(const google::protobuf::Descriptor& type);

// Whether a field of this type can stand in a URL: a scalar, a time, a duration or a wrapper.
bool IsSingleValue(const google::protobuf::FieldDescriptor& field);

// A google.protobuf.Duration in parts, as it keeps them: both of one sign.
struct DurationParts {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
};

// "1.5s", "-0.000000001s": decimal seconds with at most nine fraction digits, within the limits of
// google.protobuf.Duration (10,000 years). Nullopt for anything else.
std::optional<DurationParts> ParseDuration(std::string_view text);

// The reverse, with 0, 3, 6 or 9 fraction digits.
std::string FormatDuration(DurationParts parts);

}  // namespace god33::transcode
