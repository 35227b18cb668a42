#pragma once

#include <string>

#include "event/envelope.h"

namespace god33::testing {

// What is wrong with an envelope that was read, whatever it was read from: it breaks CheckEnvelope, holds
// text that is no UTF-8 or JSON that is none, parts of a microsecond, a parent twice, or an empty context.
// Empty: nothing.
std::string FaultOf(const event::Envelope& envelope);

}  // namespace god33::testing
