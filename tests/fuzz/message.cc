#include <google/protobuf/stubs/logging.h>

#include <charconv>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/strings.h"
#include "event/digest.h"
#include "event/summary.h"
#include "event/write.h"
#include "fuzz/fuzz.h"
#include "god33/event/v1/envelope.pb.h"
#include "json/text.h"
#include "json/value.h"
#include "sequence/unit.h"
#include "testing/envelope.h"
#include "transcode/json_writer.h"
#include "wire/proto.h"
#include "wire/read.h"
#include "wire/registry.h"

// A message from the bus. Input: a line "<content type>|<message id>|<timestamp in seconds>" of AMQP
// properties, then the body.
//
// Whatever comes is an error with its reason or a sound event, the same one at each delivery. What is
// written of it, as the canonical JSON, as protobuf and as REST's JSON, is read as the same event, and the
// payload is the one that came.

namespace god33 {
namespace {

using event::ContentDigest;
using event::Envelope;
using fuzz::Check;

constexpr absl::Time kReceivedAt = absl::FromUnixMicros(1769508000'123456);

wire::Message ReadProperties(std::string_view line, std::string_view body) {
  wire::Message message{.body = body, .received_at = kReceivedAt};
  message.content_type = fuzz::Take(line, '|');
  message.message_id = fuzz::Take(line, '|');
  std::int64_t seconds = 0;
  if (std::from_chars(line.data(), line.data() + line.size(), seconds).ec == std::errc()) {
    message.timestamp = absl::FromUnixSeconds(seconds);
  }
  return message;
}

// Of an error: what a dead letter's columns take.
void CheckError(const absl::Status& status) {
  Check(status.code() == absl::StatusCode::kInvalidArgument, "an error is INVALID_ARGUMENT");
  const std::string reason = ReasonOf(status);
  Check(reason == "unreadable" || reason == "invalid_envelope", "an error has its reason", reason);
  const std::string_view detail = MessageOf(status);
  Check(json::ValidPrefix(detail) == detail.size(), "an error is UTF-8", detail);
  Check(detail.size() < 1000, "an error quotes little", detail);
}

void CheckSame(std::string_view form, std::string_view text, std::string_view content_type,
               const Envelope& envelope) {
  auto again =
      wire::ReadMessage({.body = text, .content_type = content_type, .received_at = kReceivedAt});
  Check(again.ok(), form, absl::StrCat(again.status().ToString(), "\n", std::string(text)));
  again->time_given = envelope.time_given;  // by now it is
  Check(again->id == envelope.id && again->parents == envelope.parents, form, text);
  Check(again->payload == envelope.payload, form, text);
  Check(ContentDigest(*again) == ContentDigest(envelope), form, text);
}

void CheckSummary(const Envelope& envelope) {
  const std::string summary = event::Summarize(envelope);
  Check(!summary.empty() && json::ValidPrefix(summary) == summary.size(), "a summary is text",
        summary);
  Check(CountCharacters(summary) <= event::kMaxSummary, "a summary is short", summary);
  for (const char c : summary) {
    Check(static_cast<unsigned char>(c) >= ' ' && c != '\x7F', "a summary is one line", summary);
  }
}

void CheckPayload(const Envelope& envelope) {
  static const wire::PayloadRegistry& registry = *new wire::PayloadRegistry();
  for (const std::string& error : registry.Check(envelope.type, envelope.payload)) {
    Check(json::ValidPrefix(error) == error.size(), "a payload's error is UTF-8", error);
  }
}

// As GET /api/v1/events/{event_id} shows it, whose text somebody may publish again.
std::string RestJson(const event::v1::EventEnvelope& proto) {
  static const transcode::JsonWriter& writer =
      *new transcode::JsonWriter(*event::v1::EventEnvelope::descriptor());
  event::v1::EventEnvelope stored = proto;
  stored.set_position(7);
  *stored.mutable_recorded_at() = wire::ToProto(kReceivedAt);
  std::string json;
  writer.Append(json, stored);
  return json;
}

void CheckEvent(const wire::Message& message, const Envelope& envelope) {
  const std::string fault = testing::FaultOf(envelope);
  Check(fault.empty(), "what is read is sound", fault);
  const auto redelivered = wire::ReadMessage(message);
  Check(redelivered.ok() && redelivered->id == envelope.id, "a redelivery is the same event");
  Check(ContentDigest(*redelivered) == ContentDigest(envelope), "a redelivery is the same event");

  CheckSame("canonical JSON is read as the same event", event::WriteJson(envelope), "", envelope);
  event::v1::EventEnvelope proto;
  wire::ToProto(envelope, proto);
  CheckSame("protobuf is read as the same event", proto.SerializeAsString(), "application/protobuf",
            envelope);
  CheckSame("REST's JSON is read as the same event", RestJson(proto), "application/json", envelope);
  CheckSummary(envelope);
  CheckPayload(envelope);
  const sequence::NewEvent event = sequence::Prepare(envelope);
  Check(event.digest == ContentDigest(envelope), "preparing changes no content");
}

}  // namespace
}  // namespace god33

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto& silencer = *new google::protobuf::LogSilencer;
  static_cast<void>(silencer);
  std::string_view input = god33::fuzz::Text(data, size);
  const std::string_view line = god33::fuzz::Take(input, '\n');
  const god33::wire::Message message = god33::ReadProperties(line, input);
  const auto envelope = god33::wire::ReadMessage(message);
  if (envelope.ok()) {
    god33::CheckEvent(message, *envelope);
  } else {
    god33::CheckError(envelope.status());
  }
  return 0;
}
