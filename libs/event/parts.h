#pragma once

#include <string>
#include <vector>

#include "event/envelope.h"
#include "json/value.h"

namespace god33::event {

// Reads the parts of an envelope from JSON without ever failing: a field of an unexpected kind, and
// one that the envelope does not know, is kept in the part's meta.

Source ReadSource(const json::Value& object);

// Bloodbank's own rule for a source given as text: "app/host", else an app on an unknown host.
Source ReadTextSource(std::string_view text);

AgentContext ReadContext(const json::Value& object);

}  // namespace god33::event
