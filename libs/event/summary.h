#pragma once

#include <cstddef>
#include <string>

#include "event/envelope.h"

namespace god33::event {

inline constexpr std::size_t kMaxSummary = 300;  // characters

// What an event says, as one line for people: for the event types that the project knows from the
// fields of their payload, for others from a field that usually holds a text (summary, message,
// title, ...). Never empty, at most kMaxSummary characters, valid UTF-8, without control
// characters, line breaks and marks that turn the reading direction, whatever the payload holds. A
// field that is absent or of an unexpected kind is left out of the sentence.
std::string Summarize(const Envelope& envelope);

}  // namespace god33::event
