#pragma once

#include <string>

#include "god33/store/v1/event_store.pb.h"
#include "tools/god33/output.h"
#include "transcode/json_writer.h"

namespace god33::cli {

// An event as the API answers it, with what is hard to print in it.
inline event::v1::EventEnvelope MakeEvent(std::int64_t position) {
  event::v1::EventEnvelope event;
  event.set_event_id("0199a000-0000-7000-8000-00000000000" + std::to_string(position));
  event.set_event_type("agent.task");
  event.mutable_timestamp()->set_seconds(1769508000);
  event.set_version("1.0.0");
  event.mutable_source()->set_host("h");
  event.mutable_source()->set_type("agent");
  event.mutable_payload()->set_text("{\"n\": 123456789012345678901234567890,\n \"t\":\"\u202Ex\"}");
  event.set_position(position);
  event.mutable_recorded_at()->set_seconds(1769508001);
  return event;
}

// A page with these positions.
inline store::v1::ListEventsResponse MakePage(std::initializer_list<std::int64_t> positions,
                                              const std::string& next_page_token = "") {
  store::v1::ListEventsResponse page;
  for (const std::int64_t position : positions) *page.add_events() = MakeEvent(position);
  page.set_total(3);
  page.set_total_exact(true);
  page.set_limit(2);
  page.set_next_page_token(next_page_token);
  page.set_position(99);
  return page;
}

inline std::string RestJson(const google::protobuf::Message& message) {
  std::string json;
  transcode::JsonWriter(*message.GetDescriptor()).Append(json, message);
  return json;
}

// An output that keeps what is written.
struct Kept {
  std::string text;
  Output out{[this](std::string_view more) {
    text += more;
    return absl::OkStatus();
  }};
};

}  // namespace god33::cli
