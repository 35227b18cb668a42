#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/uuid.h"
#include "event/envelope.h"
#include "event/facts.h"

// What goes into the log: units of events, and what becomes of them. Plain values.

namespace god33::sequence {

// An event with all that can be worked out before its place in the log is known.
struct NewEvent {
  event::Envelope envelope;
  event::Facts facts;
  Uuid digest;
  std::vector<std::string> payload_errors;
  std::string routing_key;  // empty: the event type
  bool appended = false;    // by one of our services, so the relay publishes it

  // The caller gave no time and got ours: the same append again has another one, and is the same event.
  bool time_is_ours = false;
};

// Works out facts and digest.
NewEvent Prepare(event::Envelope envelope);

// The aggregate that a unit advances (DESIGN.md, decision 4).
struct Aggregate {
  std::string name;  // "<kind>/<uuid>"

  // The version it must have; 0: it must not exist. nullopt: whatever it is.
  std::optional<std::int64_t> expected_version;
};

// Events that are stored all or none, next to each other. A message from the bus is a unit of one.
struct Unit {
  std::vector<NewEvent> events;
  std::optional<Aggregate> aggregate;
};

// Where an event of a unit is.
struct Placed {
  std::int64_t position = 0;
  bool duplicate = false;  // it had been stored before, with the same content
};

// What became of a unit. Errors:
//   INVALID_ARGUMENT                 it holds one id twice
//   ALREADY_EXISTS ID_CONFLICT       an id is taken by other content; nothing was written
//   ABORTED VERSION_CONFLICT         the aggregate has another version; nothing was written
//   ABORTED PARTIAL_DUPLICATE        some events were stored before, others not; nothing was written
struct Outcome {
  absl::Status status;
  std::vector<Placed> placed;  // one for each event, when ok
  std::optional<std::int64_t> aggregate_version;
};

}  // namespace god33::sequence
