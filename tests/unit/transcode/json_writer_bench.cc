#include <cstdio>
#include <string>

#include "base/clock.h"
#include "base/strings.h"
#include "god33/store/v1/event_store.pb.h"
#include "transcode/json_writer.h"

// How long it takes to turn a full page of events, as gRPC delivers it, into the answer of
// GET /api/v1/events: 1,000 envelopes of about 900 bytes of JSON each.

namespace {

using god33::MonotonicNanos;
using god33::StrCat;
using god33::store::v1::ListEventsResponse;

ListEventsResponse MakePage() {
  ListEventsResponse page;
  for (int i = 0; i < 1000; ++i) {
    auto& event = *page.add_events();
    event.set_event_id("018d2f3a-0000-7000-8000-000000000000");
    event.set_event_type("agent.letta.task.completed");
    event.mutable_timestamp()->set_seconds(1767225600 + i);
    event.mutable_timestamp()->set_nanos(123456000);
    event.set_version("1.0.0");
    event.mutable_source()->set_host("worker-7.example.org");
    event.mutable_source()->set_type("agent");
    event.mutable_source()->set_app("letta-bridge");
    event.add_correlation_ids("018d2f3a-0000-7000-8000-000000000001");
    event.mutable_agent_context()->set_type("letta-python-dev");
    event.mutable_agent_context()->set_instance_id("letta-python-dev-001");
    event.mutable_payload()->set_text(
        StrCat("{\"workflow_id\":\"018d2f3a-0000-7000-8000-000000000002\",", "\"task\":\"",
               std::string(180, 't'), "\",\"n\":", i, "}"));
    event.set_position(i + 1);
    event.mutable_recorded_at()->set_seconds(1767225601 + i);
    event.mutable_recorded_at()->set_nanos(654321000);
  }
  page.set_total(1000);
  page.set_total_exact(true);
  return page;
}

// The shortest of many runs, in milliseconds.
template <typename Work>
double Best(Work work) {
  double best = 1e9;
  for (int run = 0; run < 200; ++run) {
    const std::int64_t start = MonotonicNanos();
    work();
    best = std::min(best, static_cast<double>(MonotonicNanos() - start) / 1e6);
  }
  return best;
}

}  // namespace

int main() {
  const std::string wire = MakePage().SerializeAsString();
  const god33::transcode::JsonWriter writer(*ListEventsResponse::descriptor());
  ListEventsResponse page;
  std::string json;
  const double parse = Best([&] { page.ParseFromString(wire); });
  const double write = Best([&] {
    json.clear();
    writer.Append(json, page);
  });
  std::printf(
      "%d events: %zu bytes of protobuf parsed in %.3f ms, %zu bytes of JSON written in %.3f ms\n",
      page.events_size(), wire.size(), parse, json.size(), write);
}
