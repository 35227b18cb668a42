#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace god33::transcode {

// Messages nested deeper than this are refused; the payload of a god33.event.v1.Json does not
// count.
inline constexpr std::size_t kMaxMessageDepth = 100;

// Fills an empty message from JSON text: an object whose members are the message's fields, by their
// names in the proto or in lowerCamelCase. The mapping is that of protobuf's JSON, with these
// additions and differences:
//  - null is a field that is not there; of duplicate members the last counts;
//  - integers may stand in quotes, but must be written without fraction and exponent;
//  - times are read by base/timestamp.h;
//  - a god33.event.v1.Json takes the text of whatever value stands there, digit for digit; inside
//  lists
//    and maps also null.
// InvalidArgument with the field's full path ("event.source.app", "event.correlation_ids[3]") for
// an unknown field, a value of the wrong kind, two members of one oneof, too deep a nesting, and
// lists and maps so long that they would take many times the text's memory; for text that is no
// JSON, or no object, the field is "body".
absl::Status ReadJson(std::string_view text, google::protobuf::Message& message);

// The same for text that is the value of one of the message's fields, which may be of any type.
// null leaves the message as it is.
absl::Status ReadJsonField(std::string_view text, google::protobuf::Message& message,
                           const google::protobuf::FieldDescriptor& field);

}  // namespace god33::transcode
