#pragma once

#include "base/uuid.h"
#include "event/envelope.h"

namespace god33::event {

// 128 bits of SHA-256 over the event's content after normalization: type, instant in microseconds,
// version, source, the set of parents, context, and the payload as JSON values with exact numbers;
// outside the payload null counts as absent (DESIGN.md, decision 6). Two events with one id are the
// same event exactly if their digests are equal. Held in a Uuid because that is PostgreSQL's
// 16-byte type.
Uuid ContentDigest(const Envelope& envelope);

}  // namespace god33::event
