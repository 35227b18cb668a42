#pragma once

#include <string>

#include "absl/status/status.h"
#include "tools/god33/session.h"

namespace god33::cli {

struct SchemaOptions {
  std::string type;      // empty: lists all
  bool example = false;  // only the example payload
};

// Prints the payload's schema of an event type, out of this executable's own registry; as JSON or YAML it
// is a JSON Schema. NOT_FOUND (SCHEMA_NOT_FOUND) names near ones. Without a type: the registered types and,
// if the store answers within 2 s, those it has seen.
absl::Status ShowSchema(const SchemaOptions& options, Session& session);

}  // namespace god33::cli
