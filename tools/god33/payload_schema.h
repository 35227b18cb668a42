#pragma once

#include <string>
#include <vector>

#include "tools/god33/table.h"
#include "transcode/comments.h"
#include "wire/registry.h"

// The payload of an event type, told from its entry in the registry: to people, to programs, and by an
// example.

namespace god33::cli {

// A field of a payload. Those of objects in it follow their field.
struct PayloadField {
  std::string name;      // "artifacts[].path"
  std::string type;      // "string", "UUID", "list of objects", ...
  std::string required;  // "yes", "yes, or task" (its other name), or empty
  std::string meaning;   // the proto's comment
};

std::vector<PayloadField> FieldsOf(const google::protobuf::Descriptor& schema,
                                   const transcode::Comments& comments);

// JSON text of an object that has every field, and that PayloadRegistry::Check finds nothing wrong with.
std::string ExamplePayload(const google::protobuf::Descriptor& schema);

// A JSON Schema (draft 2020-12) that takes what PayloadRegistry::Check takes: unknown fields are allowed,
// null counts as absent. Of UUIDs and times it takes the usual forms; the store reads some others, too.
std::string JsonSchema(const std::string& event_type, const wire::PayloadRegistry::Entry& entry,
                       const transcode::Comments& comments);

// All of it for people, with how to publish the example. Meanings are wrapped to the screen.
std::string SchemaText(const std::string& event_type, const wire::PayloadRegistry::Entry& entry,
                       const transcode::Comments& comments, const Screen& screen);

}  // namespace god33::cli
