#include <string>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "fuzz/fuzz.h"
#include "fuzz/url.h"
#include "json/text.h"
#include "json/value.h"
#include "services/event-store-api/stream_filter.h"
#include "services/gateway/live_frames.h"
#include "services/gateway/live_request.h"
#include "transcode/json_writer.h"

// What clients of live streams say. Input: "{...", a frame on a WebSocket; anything else is
// "<query>\n<Last-Event-ID>". What was read is written again, as a frame and as a query, and read from
// there as the same request. An error becomes a frame for the client, which is JSON and short.

namespace god33::gateway {
namespace {

using fuzz::Check;
using store::v1::StreamEventsRequest;

constexpr char kFaulty[] = "an error frame is short JSON";

void CheckError(const absl::Status& status) {
  Check(status.code() == absl::StatusCode::kInvalidArgument, "an error is INVALID_ARGUMENT");
  const std::string frame = ErrorFrame(status, 7, 5);
  Check(frame.size() < 8000, kFaulty, frame);  // each byte of the client's may become an escape
  const auto value = json::Value::Parse(frame);
  Check(value.ok() && value->is_object() && value->Find("reason").has_value(), kFaulty, frame);
}

std::string FrameFor(StreamEventsRequest request) {
  std::string frame = R"({"type":"subscribe")";
  if (request.has_after()) absl::StrAppend(&frame, R"(,"after":)", request.after());
  if (request.within() != 0) absl::StrAppend(&frame, R"(,"within":)", request.within());
  request.clear_after();
  request.clear_within();
  absl::StrAppend(&frame, R"(,"filters":)");
  transcode::JsonWriter(*StreamEventsRequest::descriptor()).Append(frame, request);
  return frame + "}";
}

http::Request QueryFor(const StreamEventsRequest& request) {
  http::Request http;
  const auto add = [&http](const char* name, const std::string& value) {
    absl::StrAppend(&http.query, name, "=", fuzz::PercentEncode(value), "&");
  };
  for (const std::string& type : request.event_types()) add("event_type", type);
  if (request.has_workflow_id()) add("workflow_id", request.workflow_id());
  if (request.has_correlation_id()) add("correlation_id", request.correlation_id());
  if (request.has_agent_id()) add("agent_id", request.agent_id());
  if (request.has_project()) add("project", request.project());
  if (request.has_after()) add("after", absl::StrCat(request.after()));
  if (request.within() != 0) add("within", absl::StrCat(request.within()));
  return http;
}

// As the one that the gateway sends with events.
http::Request Resumed(const StreamEventsRequest& request) {
  StreamEventsRequest filters = request;
  filters.clear_after();
  filters.clear_within();
  http::Request http = QueryFor(filters);
  std::string id = absl::StrCat(request.after());
  if (request.within() != 0) absl::StrAppend(&id, ".", request.within());
  http.headers.emplace_back("Last-Event-ID", id);
  return http;
}

void CheckSame(const absl::StatusOr<StreamEventsRequest>& again, const StreamEventsRequest& request,
               std::string_view property) {
  Check(again.ok(), property, again.status().ToString());
  Check(again->SerializeAsString() == request.SerializeAsString(), property,
        absl::StrCat(again->ShortDebugString(), "\n", request.ShortDebugString()));
}

void CheckRequest(const StreamEventsRequest& request) {
  // The store checks what stands in it.
  const auto read = api::ReadStreamRequest(request);
  if (!read.ok()) CheckError(read.status());
  if (request.after() < 0 || request.within() < 0) {
    return Check(!read.ok(), "a place is not below 0", request.ShortDebugString());
  }
  const auto frame = ReadClientFrame(FrameFor(request));
  Check(frame.ok() && frame->subscribe.has_value(), "a request can be a frame", FrameFor(request));
  CheckSame(*frame->subscribe, request, "a request is read from its frame");
  CheckSame(ReadLiveQuery(QueryFor(request), false), request, "a request is read from its query");
  if (request.has_after()) {
    CheckSame(ReadLiveQuery(Resumed(request), true), request, "a request is read from its resume");
  }
}

}  // namespace
}  // namespace god33::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace god33::gateway;
  std::string_view input = god33::fuzz::Text(data, size);
  if (input.substr(0, 1) == "{") {
    const auto frame = ReadClientFrame(input);
    if (!frame.ok()) {
      CheckError(frame.status());
    } else if (frame->subscribe) {
      CheckRequest(*frame->subscribe);
    }
    return 0;
  }
  god33::http::Request request;
  request.query = god33::fuzz::Take(input, '\n');
  if (!input.empty()) request.headers.emplace_back("Last-Event-ID", input);
  const auto query = ReadLiveQuery(request, true);
  if (query.ok()) {
    CheckRequest(*query);
  } else {
    CheckError(query.status());
  }
  return 0;
}
