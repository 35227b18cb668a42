#include "services/gateway/live_frames.h"

#include "base/error.h"
#include "base/strings.h"
#include "json/text.h"
#include "json/write.h"
#include "transcode/json_writer.h"

namespace god33::gateway {
namespace {

// Messages and fields may quote what a client sent; no more of it is sent back.
constexpr std::size_t kMostQuotedBytes = 500;

using store::v1::Heartbeat;
using store::v1::StreamEventsResponse;

// "position":N, and "within":W where it says something.
std::string PlaceOf(const StreamEventsResponse& response) {
  std::string place = StrCat("\"position\":", response.position());
  if (response.within() > 0) StrAppend(&place, ",\"within\":", response.within());
  return place;
}

std::string EventFrame(const StreamEventsResponse& response) {
  static const transcode::JsonWriter& envelope =
      *new transcode::JsonWriter(*event::v1::EventEnvelope::descriptor());
  std::string json;
  envelope.Append(json, response.event());
  std::string frame;
  frame.reserve(2 * json.size() + 80);
  StrAppend(&frame, R"({"type":"event",)", PlaceOf(response), R"(,"data":)", json,
            R"(,"envelope":)", json, "}");
  return frame;
}

std::string HeartbeatFrame(const StreamEventsResponse& response) {
  static const transcode::JsonWriter& timestamp = *new transcode::JsonWriter(
      *Heartbeat::descriptor(),
      Heartbeat::descriptor()->FindFieldByNumber(Heartbeat::kTimestampFieldNumber));
  std::string frame = R"({"type":"heartbeat","timestamp":)";
  timestamp.Append(frame, response.heartbeat());
  StrAppend(&frame, ",", PlaceOf(response), "}");
  return frame;
}

}  // namespace

std::string FrameOf(const StreamEventsResponse& response) {
  switch (response.frame_case()) {
    case StreamEventsResponse::kEvent:
      return EventFrame(response);
    case StreamEventsResponse::kHeartbeat:
      return HeartbeatFrame(response);
    default:
      return StrCat(R"({"type":"subscribed",)", PlaceOf(response), "}");
  }
}

std::string PongFrame() {
  return R"({"type":"pong"})";
}

std::string ErrorFrame(const absl::Status& error, std::optional<std::int64_t> position,
                       std::int64_t within) {
  std::string frame;
  json::Writer writer(frame);
  writer.BeginObject();
  writer.Key("type");
  writer.String("error");
  writer.Key("reason");
  writer.String(ReasonOf(error));
  writer.Key("message");
  writer.String(Clip(json::CleanText(MessageOf(error)), kMostQuotedBytes));
  if (const std::string field = FieldOf(error); !field.empty()) {
    writer.Key("field");
    writer.String(Clip(field, kMostQuotedBytes));
  }
  if (position) {
    writer.Key("position");
    writer.Int(*position);
    if (within > 0) {
      writer.Key("within");
      writer.Int(within);
    }
  }
  writer.EndObject();
  return frame;
}

const char* TypeOf(const StreamEventsResponse& response) {
  switch (response.frame_case()) {
    case StreamEventsResponse::kEvent:
      return "event";
    case StreamEventsResponse::kHeartbeat:
      return "heartbeat";
    default:
      return "subscribed";
  }
}

}  // namespace god33::gateway
