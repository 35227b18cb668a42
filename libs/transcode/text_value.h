#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace god33::transcode {

// Sets a field that is a single value (see IsSingleValue) from text, or adds to it if it is
// repeated: integers in decimal, true or false, numbers as in JSON and NaN, Infinity, -Infinity,
// enum values by name or number, base64 of either alphabet, RFC 3339 times, durations such as
// "1.5s". Strings must be UTF-8. InvalidArgument says what was expected and what came, without the
// field's name.
absl::Status SetFromText(google::protobuf::Message& message,
                         const google::protobuf::FieldDescriptor& field, std::string_view text);

// "an integer from -2147483648 to 2147483647", "a string", ...: what such a field takes.
std::string DescribeField(const google::protobuf::FieldDescriptor& field);

}  // namespace god33::transcode
