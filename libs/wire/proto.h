#pragma once

#include "absl/status/statusor.h"
#include "event/envelope.h"
#include "god33/event/v1/envelope.pb.h"
#include "wire/timestamp.h"

namespace god33::wire {

// Strict: every error is InvalidArgument and names the field of the message. event_id, event_type,
// timestamp, source and payload are required; position, recorded_at and payload_errors are ignored.
absl::StatusOr<event::Envelope> FromProto(const event::v1::EventEnvelope& proto);

// Fills everything but position, recorded_at and payload_errors.
void ToProto(const event::Envelope& envelope, event::v1::EventEnvelope& proto);

void ToProto(const event::Source& source, event::v1::Source& proto);
void ToProto(const event::AgentContext& context, event::v1::AgentContext& proto);

}  // namespace god33::wire
