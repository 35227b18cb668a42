#pragma once

#include <string>

#include "god33/event/v1/envelope.pb.h"
#include "tools/god33/printer.h"

namespace god33::cli {

// Events and event types for people.

// The agent of an event, by which --agent of `event list` filters; empty: none.
std::string AgentOf(const event::v1::EventEnvelope& event);

ListView EventView();
ListView EventTypeView();

// All there is to know about one event.
std::string EventDetails(const event::v1::EventEnvelope& event);

}  // namespace god33::cli
