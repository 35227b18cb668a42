#include "services/event-store-api/event_proto.h"

#include "wire/proto.h"

namespace god33::api {

void ToProto(const eventlog::StoredEvent& event, event::v1::EventEnvelope& proto) {
  wire::ToProto(event.envelope, proto);
  proto.set_position(event.position);
  *proto.mutable_recorded_at() = wire::ToProto(event.recorded_at);
  for (const std::string& error : event.payload_errors) proto.add_payload_errors(error);
}

}  // namespace god33::api
