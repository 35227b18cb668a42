#pragma once

#include "eventlog/event_row.h"
#include "god33/event/v1/envelope.pb.h"

namespace god33::api {

// A stored event as answers and streams show it.
void ToProto(const eventlog::StoredEvent& event, event::v1::EventEnvelope& proto);

}  // namespace god33::api
