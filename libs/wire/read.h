#pragma once

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "event/envelope.h"

namespace god33::wire {

// A message as it came from the bus.
struct Message {
  std::string_view body;
  std::string_view content_type;        // AMQP property; empty: none
  std::string_view message_id;          // AMQP property; empty: none
  std::optional<absl::Time> timestamp;  // AMQP property
  absl::Time received_at;
};

// Reads every shape that producers put on Bloodbank into the one envelope:
//
//   by content type   protobuf: god33.event.v1.EventEnvelope (application/protobuf, x-protobuf,
//                     vnd.google.protobuf)
//   specversion       CloudEvents 1.0, structured JSON
//   hook_type         hookd: flat fields, which become the payload
//   id and (ts|data)  legacy v1
//   otherwise         the canonical JSON and its relatives: single correlation_id and causation_id,
//                     source as a string, zellij-driver's `metadata`
//
// Identity (DESIGN.md, decision 17): an event_id beside a source object, or without any source, must
// be a UUID. Elsewhere an id that is none becomes uuid5(OID, "bloodbank:<source>:<id>"), and so do
// parents; without an id (elsewhere: or with an empty one) it is AMQP's message_id if that is a
// UUID, else uuid5(OID, "bloodbank:<type>:<sha256 of the body>"). correlation_ids, correlation_id and causation_id are the parents. What has no field of
// its own is kept in source.meta; null counts as absent outside the payload.
//
// Errors are InvalidArgument with the dead-letter reason `unreadable` (no JSON object, no such
// protobuf) or `invalid_envelope` (id, type, time, version, parents or payload), which name the
// field.
absl::StatusOr<event::Envelope> ReadMessage(const Message& message);

}  // namespace god33::wire
