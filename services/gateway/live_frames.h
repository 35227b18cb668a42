#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "god33/store/v1/stream.pb.h"

namespace god33::gateway {

// What goes to a client of /api/v1/events/stream, as JSON on one line or several:
//   {"type":"subscribed","position":N}
//   {"type":"event","position":N,"data":{...},"envelope":{...}}   data and envelope are the same event,
//                                                                 in the form that REST gives it
//   {"type":"heartbeat","timestamp":"...","position":N}
//   {"type":"pong"}
//   {"type":"error","reason":"...","message":"...","field":"...","position":N}   field and position
//                                                                 only if there is one
// A position is where to go on: with `after` = N nothing is missed and nothing comes twice. Behind an event
// that joined its workflow late there is also "within", which then belongs beside `after`; without it nothing
// is missed either, but late events may come again.

// The three that come from the store.
std::string FrameOf(const store::v1::StreamEventsResponse& response);

std::string PongFrame();
std::string ErrorFrame(const absl::Status& error, std::optional<std::int64_t> position,
                       std::int64_t within = 0);

// The type of a frame of the store's, for metrics: "event", ...
const char* TypeOf(const store::v1::StreamEventsResponse& response);

}  // namespace god33::gateway
