#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace god33 {

// The project's one error language is absl::Status. Beside code and message an error carries a
// stable machine-readable `reason` (UPPER_SNAKE; lower_snake for dead letters) and, where one input
// field is at fault, that field's name. Both travel as status payloads and end up in
// google.rpc.ErrorInfo, in problem+json and in dead letters.
absl::Status MakeError(absl::StatusCode code, std::string_view reason, std::string_view message,
                       std::string_view field = {});

// absl::InvalidArgumentError for std::string_view.
absl::Status InvalidArgument(std::string_view message);

// InvalidArgument with reason INVALID_ARGUMENT, about one field of the caller's input.
absl::Status InvalidField(std::string_view field, std::string_view message);

// The error's reason; for one made elsewhere, the code's name (e.g. "UNAVAILABLE").
std::string ReasonOf(const absl::Status& status);

// The field at fault, or empty.
std::string FieldOf(const absl::Status& status);

// Adds one more fact for programs, e.g. where to go on; it becomes ErrorInfo's metadata[key]. Keys are
// lower_snake; "field" is taken.
absl::Status WithMetadata(absl::Status status, std::string_view key, std::string_view value);

// All that WithMetadata added.
std::map<std::string, std::string> MetadataOf(const absl::Status& status);

// The error's message as std::string_view.
std::string_view MessageOf(const absl::Status& status);

// The same error with `prefix` before its message, reason and field kept.
absl::Status Prefixed(const absl::Status& status, std::string_view prefix);

}  // namespace god33
