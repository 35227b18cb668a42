#include "services/gateway/hand_made_routes.h"

#include "god33/event/v1/envelope.pb.h"
#include "god33/store/v1/stream.pb.h"
#include "services/gateway/live.h"

namespace god33::gateway {
namespace {

using transcode::HandMadeRoute;

constexpr char kStreamDescription[] =
    "First what was missed behind `after`, then what comes, each event once and in order: as a "
    "WebSocket "
    "if the request asks for the upgrade, else as server-sent events.\n\n"
    "Server-sent events have `id:` (the position, or `position.within`), `event: event` and "
    "`data:` with a "
    "LiveEvent; `event: error` with a LiveError ends the stream; heartbeats are comments. The "
    "messages of "
    "a WebSocket are LiveFrames, and a client may send LiveClientFrames.\n\n"
    "Close codes: 1001 the gateway stops; 1008 SLOW_READER, too many messages, or asking for what "
    "may not "
    "be had; 1011 an internal error; 1012 LOG_CHANGED; 1013 the store is away. To go on, connect "
    "with the "
    "last `position` as `after`, and `within` if there was one.";

constexpr char kStreamParameters[] = R"json([
  {"name": "event_type", "in": "query", "description": "The same as event_types.",
   "schema": {"type": "array", "items": {"type": "string"}}},
  {"name": "Last-Event-ID", "in": "header",
   "description": "What an EventSource sends when it connects again; wins over after and within.",
   "schema": {"type": "string", "pattern": "^[0-9]+([.][0-9]+)?$"}}])json";

constexpr char kStreamResponses[] = R"json({
  "101": {"description": "A WebSocket; see x-websocket-messages."},
  "200": {"description": "Server-sent events. The schema is that of each one's data.",
    "content": {"text/event-stream": {"schema": {"oneOf": [
      {"$ref": "#/components/schemas/LiveEvent"}, {"$ref": "#/components/schemas/LiveError"}]}}}}})json";

constexpr char kStreamMembers[] = R"json({
  "x-websocket-messages": {
    "receive": {"$ref": "#/components/schemas/LiveFrame"},
    "send": {"$ref": "#/components/schemas/LiveClientFrame"}}})json";

constexpr char kStreamSchemas[] = R"json({
  "LiveFrame": {
    "description": "What the gateway sends.",
    "oneOf": [
      {"$ref": "#/components/schemas/LiveSubscribed"}, {"$ref": "#/components/schemas/LiveEvent"},
      {"$ref": "#/components/schemas/LiveHeartbeat"}, {"$ref": "#/components/schemas/LivePong"},
      {"$ref": "#/components/schemas/LiveError"}]},
  "LivePosition": {"type": "integer", "format": "int64", "minimum": 0,
    "description": "Where to go on: with `after` = this nothing is missed and nothing comes twice."},
  "LiveWithin": {"type": "integer", "format": "int64", "minimum": 1,
    "description": "Only behind an event that joined its workflow late; belongs beside `after`."},
  "LiveSubscribed": {
    "type": "object", "description": "The stream begins behind the position.",
    "required": ["type", "position"],
    "properties": {
      "type": {"const": "subscribed"},
      "position": {"$ref": "#/components/schemas/LivePosition"},
      "within": {"$ref": "#/components/schemas/LiveWithin"}}},
  "LiveEvent": {
    "type": "object", "description": "`data` and `envelope` are the same event.",
    "required": ["type", "position", "data", "envelope"],
    "properties": {
      "type": {"const": "event"},
      "position": {"$ref": "#/components/schemas/LivePosition"},
      "within": {"$ref": "#/components/schemas/LiveWithin"},
      "data": {"$ref": "#/components/schemas/EventEnvelope"},
      "envelope": {"$ref": "#/components/schemas/EventEnvelope"}}},
  "LiveHeartbeat": {
    "type": "object", "description": "Every 30 s without other frames, and at the end of what was missed.",
    "required": ["type", "timestamp", "position"],
    "properties": {
      "type": {"const": "heartbeat"},
      "timestamp": {"type": "string", "format": "date-time"},
      "position": {"$ref": "#/components/schemas/LivePosition"},
      "within": {"$ref": "#/components/schemas/LiveWithin"}}},
  "LivePong": {
    "type": "object", "description": "Answers a ping.",
    "required": ["type"], "properties": {"type": {"const": "pong"}}},
  "LiveError": {
    "type": "object", "description": "What a client sent can't be understood, or the stream ends.",
    "required": ["type", "reason", "message"],
    "properties": {
      "type": {"const": "error"},
      "reason": {"type": "string", "description": "Stable, for programs: UPPER_SNAKE."},
      "message": {"type": "string", "description": "For people."},
      "field": {"type": "string", "description": "What of the client's frame is at fault."},
      "position": {"$ref": "#/components/schemas/LivePosition"},
      "within": {"$ref": "#/components/schemas/LiveWithin"}}},
  "LiveClientFrame": {
    "description": "What a client may send over a WebSocket.",
    "oneOf": [{"$ref": "#/components/schemas/LiveSubscribe"}, {"$ref": "#/components/schemas/LivePing"}]},
  "LiveSubscribe": {
    "type": "object",
    "description": "Replaces all filters. Without `after` the stream goes on where the last frame was.",
    "required": ["type"],
    "properties": {
      "type": {"const": "subscribe"},
      "filters": {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "event_types": {"$ref": "#/components/schemas/StreamEventsRequest/properties/event_types"},
          "workflow_id": {"$ref": "#/components/schemas/StreamEventsRequest/properties/workflow_id"},
          "correlation_id": {"$ref": "#/components/schemas/StreamEventsRequest/properties/correlation_id"},
          "agent_id": {"$ref": "#/components/schemas/StreamEventsRequest/properties/agent_id"},
          "project": {"$ref": "#/components/schemas/StreamEventsRequest/properties/project"}}},
      "after": {"$ref": "#/components/schemas/LivePosition"},
      "within": {"$ref": "#/components/schemas/LiveWithin"}}},
  "LivePing": {
    "type": "object", "required": ["type"], "properties": {"type": {"const": "ping"}}}})json";

constexpr char kHealthResponses[] = R"json({
  "200": {"description": "All services serve; when one does without some component: degraded.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}},
  "503": {"description": "One does not, or can't be reached.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}}})json";

constexpr char kHealthSchemas[] = R"json({
  "Health": {
    "type": "object", "required": ["status", "services"],
    "properties": {
      "status": {"enum": ["ok", "degraded", "unavailable"]},
      "services": {
        "type": "object", "description": "By name.",
        "additionalProperties": {
          "type": "object", "required": ["status", "components"],
          "properties": {
            "status": {"type": "string"},
            "components": {
              "type": "object", "description": "What it depends on, e.g. postgresql.",
              "additionalProperties": {"type": "string"}}}}}}}})json";

}  // namespace

std::vector<HandMadeRoute> HandMadeRoutes() {
  return {HandMadeRoute{.path = kLivePath,
                        .operation_id = "FollowEvents",
                        .tag = "Live",
                        .summary = "Follows the log live",
                        .description = kStreamDescription,
                        .query = store::v1::StreamEventsRequest::descriptor(),
                        .parameters = kStreamParameters,
                        .responses = kStreamResponses,
                        .members = kStreamMembers,
                        .schemas = kStreamSchemas,
                        .refers_to = {store::v1::StreamEventsRequest::descriptor(),
                                      event::v1::EventEnvelope::descriptor()}},
          HandMadeRoute{.path = "/healthz",
                        .operation_id = "GetHealth",
                        .tag = "Health",
                        .summary = "How the services behind the gateway are",
                        .description = "Every service, with its database and broker, asked now.",
                        .responses = kHealthResponses,
                        .schemas = kHealthSchemas}};
}

}  // namespace god33::gateway
