#include "services/gateway/live_request.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "base/error.h"
#include "base/strings.h"
#include "http/url.h"
#include "json/value.h"
#include "transcode/json_reader.h"
#include "transcode/text_value.h"

namespace god33::gateway {
namespace {

using google::protobuf::FieldDescriptor;
using store::v1::StreamEventsRequest;

// Names come from outside; no more of one is shown.
constexpr std::size_t kMostNameBytes = 80;

absl::Status SetPosition(StreamEventsRequest& request, std::string_view name,
                         std::string_view text) {
  const FieldDescriptor& field =
      *request.GetDescriptor()->FindFieldByNumber(StreamEventsRequest::kAfterFieldNumber);
  request.clear_after();
  if (!transcode::SetFromText(request, field, text).ok() || request.after() < 0) {
    return InvalidField(name, "expected a position: an integer from 0");
  }
  return absl::OkStatus();
}

// An id of ours: "7", or "7.5" with `within`.
absl::Status SetPlace(StreamEventsRequest& request, std::string_view id) {
  const std::size_t dot = std::min(id.find('.'), id.size());
  if (absl::Status status = SetPosition(request, "Last-Event-ID", id.substr(0, dot));
      !status.ok()) {
    return status;
  }
  request.clear_within();
  if (dot == id.size()) return absl::OkStatus();
  const FieldDescriptor& field =
      *request.GetDescriptor()->FindFieldByNumber(StreamEventsRequest::kWithinFieldNumber);
  if (!transcode::SetFromText(request, field, id.substr(dot + 1)).ok() || request.within() < 0) {
    return InvalidField("Last-Event-ID", "expected an id of an earlier event: 7 or 7.5");
  }
  return absl::OkStatus();
}

absl::Status SetParameter(StreamEventsRequest& request, const std::string& name,
                          const std::string& value) {
  if (name == "after") return SetPosition(request, name, value);
  // As in GET /api/v1/events; the plural is what a subscribe frame calls it.
  const std::string field_name = name == "event_type" ? "event_types" : name;
  const FieldDescriptor* field = request.GetDescriptor()->FindFieldByName(field_name);
  if (field == nullptr) {
    return InvalidField(Clip(name, kMostNameBytes), "there is no such parameter");
  }
  const absl::Status status = transcode::SetFromText(request, *field, value);
  return status.ok() ? status : InvalidField(name, MessageOf(status));
}

absl::StatusOr<std::optional<std::int64_t>> ReadPosition(const json::Value& frame,
                                                         const char* name) {
  const auto member = frame.Find(name);
  if (!member || member->is_null()) return std::nullopt;
  const auto position = member->ToInt64();
  if (position && *position >= 0) return position;
  return InvalidField(name, "expected a position: an integer from 0");
}

absl::Status ReadFilters(const json::Value& filters, StreamEventsRequest& request) {
  if (!filters.is_object()) return InvalidField("filters", "expected an object");
  if (absl::Status status = transcode::ReadJson(filters.text(), request); !status.ok()) {
    return InvalidField(StrCat("filters.", FieldOf(status)), MessageOf(status));
  }
  if (request.has_after()) {
    return InvalidField("filters.after", "\"after\" belongs beside the filters");
  }
  if (request.within() != 0) {
    return InvalidField("filters.within", "\"within\" belongs beside the filters");
  }
  return absl::OkStatus();
}

absl::Status ReadSubscribe(const json::Value& frame, StreamEventsRequest& request) {
  for (const json::Member& member : frame.members()) {
    if (member.value.is_null() || member.Is("type") || member.Is("filters") || member.Is("after") ||
        member.Is("within")) {
      continue;
    }
    return InvalidField(Clip(member.key(), kMostNameBytes), "there is no such member");
  }
  // Of duplicates the last counts, as everywhere; its filters are not added to the others'.
  if (const auto filters = frame.Find("filters"); filters && !filters->is_null()) {
    if (absl::Status status = ReadFilters(*filters, request); !status.ok()) return status;
  }
  const auto after = ReadPosition(frame, "after");
  if (!after.ok()) return after.status();
  const auto within = ReadPosition(frame, "within");
  if (!within.ok()) return within.status();
  if (*after) request.set_after(**after);
  if (*within) request.set_within(**within);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StreamEventsRequest> ReadLiveQuery(const http::Request& request, bool resume) {
  const auto query = http::ParseQuery(request.query);
  if (!query.ok()) return query.status();
  StreamEventsRequest result;
  std::set<std::string> seen;
  for (const auto& [name, value] : *query) {
    const bool repeats = name == "event_type" || name == "event_types";
    if (!repeats && !seen.insert(name).second) return InvalidField(name, "is given twice");
    if (absl::Status status = SetParameter(result, name, value); !status.ok()) return status;
  }
  const std::string_view last = resume ? http::Find(request.headers, "Last-Event-ID") : "";
  if (!last.empty()) {
    if (absl::Status status = SetPlace(result, last); !status.ok()) return status;
  }
  return result;
}

absl::StatusOr<ClientFrame> ReadClientFrame(std::string_view text) {
  const auto frame = json::Value::Parse(text);
  if (!frame.ok()) return InvalidArgument(StrCat("not JSON: ", MessageOf(frame.status())));
  if (!frame->is_object()) return InvalidArgument("expected a JSON object");
  const auto type = frame->Find("type");
  const std::string name = type && type->is_string() ? type->ToString() : "";
  ClientFrame result;
  if (name == "ping") return result;
  if (name != "subscribe") {
    return InvalidField("type", "expected \"subscribe\" or \"ping\"");
  }
  result.subscribe.emplace();
  if (absl::Status status = ReadSubscribe(*frame, *result.subscribe); !status.ok()) return status;
  return result;
}

}  // namespace god33::gateway
