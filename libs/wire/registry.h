#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Descriptor;
}

namespace god33::wire {

// Maps an event type to the schema of its payload: the protobuf messages in god33/event/v1 that
// carry the option `payload`. Immutable, so thread-safe.
class PayloadRegistry {
 public:
  PayloadRegistry();

  struct Entry {
    const google::protobuf::Descriptor* schema;
    std::string summary;
  };

  // By event type, in alphabetical order.
  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }

  // Where `payload`, the JSON text of an object, breaks the schema of `event_type`: each as "field:
  // what was expected, got what", at most 20. Fields the schema doesn't know are no errors, and
  // neither is anything in an unknown type.
  std::vector<std::string> Check(std::string_view event_type, std::string_view payload) const;

 private:
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace god33::wire
