#include "event/check.h"

#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "event/event_type.h"

namespace god33::event {

absl::Status InvalidEnvelope(std::string_view field, std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, "invalid_envelope",
                   StrCat(field, ": ", message), field);
}

absl::Status CheckEnvelope(const Envelope& envelope) {
  if (absl::Status status = CheckEventType(envelope.type); !status.ok()) {
    return InvalidEnvelope("event_type", MessageOf(status));
  }
  if (!InTimestampRange(envelope.time)) {
    return InvalidEnvelope("timestamp", "expected a time in the years 0001 to 9999");
  }
  if (CountCharacters(envelope.version) > kMaxVersionLength ||
      envelope.version.find('\0') != std::string::npos) {
    return InvalidEnvelope("version",
                           StrCat("expected at most ", kMaxVersionLength, " characters"));
  }
  if (envelope.parents.size() > kMaxParents) {
    return InvalidEnvelope("correlation_ids", StrCat("expected at most ", kMaxParents,
                                                     " parents, got ", envelope.parents.size()));
  }
  return absl::OkStatus();
}

}  // namespace god33::event
