#pragma once

#include <memory>
#include <string>

#include "google/protobuf/message.h"

namespace god33::transcode {

// Writes messages of one type as JSON. Every field is written, under its name in the proto: an
// unset message or `optional` field as null, lists and maps also when they are empty. 64-bit
// integers are numbers, times go through base/timestamp.h FormatTimestamp, durations are seconds
// ("1.5s"), enums are names (an unknown one its number), NaN and infinities are strings, bytes are
// base64; a god33.event.v1.Json is its text, inline (null when unset or empty). Maps are ordered by
// key. Strings that are not UTF-8 get U+FFFD.
//
// The plan of how to write is compiled once, by the constructor; copies share it. Immutable, so
// thread-safe.
class JsonWriter {
 public:
  // For whole messages, or for the value of one field only (response_body of google.api.http).
  explicit JsonWriter(const google::protobuf::Descriptor& type,
                      const google::protobuf::FieldDescriptor* only = nullptr);

  // Appends the JSON of a message of that type.
  void Append(std::string& out, const google::protobuf::Message& message) const;

 private:
  class Plans;
  std::shared_ptr<const Plans> plans_;
};

}  // namespace god33::transcode
