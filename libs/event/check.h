#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "event/envelope.h"

namespace god33::event {

// What makes an envelope invalid (DESIGN.md, decision 16): its type, time, version or number of
// parents. The other parts hold by construction. InvalidArgument, reason `invalid_envelope`, names
// the field.
absl::Status CheckEnvelope(const Envelope& envelope);

absl::Status InvalidEnvelope(std::string_view field, std::string_view message);

}  // namespace god33::event
