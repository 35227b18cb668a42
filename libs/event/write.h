#pragma once

#include <string>

#include "event/envelope.h"

namespace god33::event {

// How a field without a value is written.
enum class Absent {
  kNull,  // as null, the habit on Bloodbank
  kOmit,  // not at all, which is how the store keeps it
};

// The canonical JSON of Bloodbank, the payload as it was published. Reading it back gives an event
// with the same content digest.
std::string WriteJson(const Envelope& envelope);

std::string WriteSource(const Source& source, Absent absent);
std::string WriteContext(const AgentContext& context, Absent absent);

}  // namespace god33::event
