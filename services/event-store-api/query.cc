#include "services/event-store-api/query.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "wire/timestamp.h"

namespace god33::api {
namespace {

constexpr int kMostTypes = 50;
constexpr std::int64_t kMostOffset = 1'000'000;
constexpr std::size_t kMostText = 255;

// A filter that is given must hold something: an empty one never means "all".
absl::Status ReadIds(const store::v1::ListEventsRequest& request, EventFilter& filter) {
  absl::Status status;
  const auto read = [&status](const char* field, bool given, const std::string& text,
                              std::optional<Uuid>& id) {
    if (!given || !status.ok()) return;
    auto parsed = ReadId(field, text);
    status = parsed.status();
    if (parsed.ok()) id = *parsed;
  };
  read("workflow_id", request.has_workflow_id(), request.workflow_id(), filter.workflow);
  read("correlation_id", request.has_correlation_id(), request.correlation_id(),
       filter.correlation);
  read("collaboration_id", request.has_collaboration_id(), request.collaboration_id(),
       filter.collaboration);
  read("session_id", request.has_session_id(), request.session_id(), filter.session);
  return status;
}

absl::Status ReadTypes(const store::v1::ListEventsRequest& request, EventFilter& filter) {
  if (request.event_type_size() > kMostTypes) {
    return InvalidField("event_type", StrCat("expected at most ", kMostTypes, " of them"));
  }
  for (const std::string& text : request.event_type()) {
    auto pattern = event::TypePattern::Parse(text);
    if (!pattern.ok()) return InvalidField("event_type", MessageOf(pattern.status()));
    filter.types.push_back(*std::move(pattern));
  }
  return absl::OkStatus();
}

absl::Status ReadTimes(const store::v1::ListEventsRequest& request, EventFilter& filter) {
  if (request.has_since() && request.has_start_time()) {
    return InvalidField("since",
                        "expected since or start_time, which are the same filter, not both");
  }
  if (request.has_since() || request.has_start_time()) {
    const char* field = request.has_since() ? "since" : "start_time";
    const auto time =
        wire::ReadTimeBound(field, request.has_since() ? request.since() : request.start_time());
    if (!time.ok()) return time.status();
    filter.start = *time;
  }
  if (request.has_end_time()) {
    const auto time = wire::ReadTimeBound("end_time", request.end_time());
    if (!time.ok()) return time.status();
    filter.end = *time;
  }
  return absl::OkStatus();
}

absl::Status ReadPaging(const store::v1::ListEventsRequest& request, EventQuery& query) {
  const auto limit = ReadLimit(request.has_limit(), request.limit());
  if (!limit.ok()) return limit.status();
  query.limit = *limit;
  if (request.has_offset()) {
    if (!request.page_token().empty()) {
      return InvalidField("offset", "expected offset or page_token, not both");
    }
    if (request.offset() < 0 || request.offset() > kMostOffset) {
      return InvalidField("offset", StrCat("expected 0 to ", kMostOffset, ", got ",
                                           request.offset(), "; use page_token beyond that"));
    }
    query.offset = request.offset();
  }
  query.page_token = request.page_token();
  if (!request.order().empty() && request.order() != "asc" && request.order() != "desc") {
    return InvalidField("order",
                        StrCat("expected asc or desc, got \"", Clip(request.order(), 40), "\""));
  }
  const bool legacy = request.generation() == "legacy";
  if (!legacy && !request.generation().empty()) {
    return InvalidField("generation", "expected nothing or legacy");
  }
  query.descending = request.order().empty() ? legacy : request.order() == "desc";
  if (request.min_position() < 0) return InvalidField("min_position", "expected 0 or more");
  query.min_position = request.min_position();
  return absl::OkStatus();
}

}  // namespace

bool EventFilter::empty() const {
  return !workflow && types.empty() && !correlation && !collaboration && agent.empty() &&
         !session && !start && !end;
}

std::string EventFilter::Fingerprint() const {
  std::string text;
  const auto id = [&text](const std::optional<Uuid>& value) {
    StrAppend(&text, value ? value->ToString() : "-", ";");
  };
  const auto time = [&text](const std::optional<absl::Time>& value) {
    StrAppend(&text, value ? StrCat(absl::ToUnixNanos(*value)) : "-", ";");
  };
  id(workflow);
  id(correlation);
  id(collaboration);
  id(session);
  time(start);
  time(end);
  StrAppend(&text, agent.size(), ":", agent, ";");
  for (const event::TypePattern& type : types) {
    StrAppend(&text, type.text().size(), ":", type.text(), ";");
  }
  return Sha256Hex(text).substr(0, 16);
}

absl::StatusOr<Uuid> ReadId(const std::string& field, const std::string& text) {
  if (const auto id = Uuid::Parse(text)) return *id;
  return InvalidField(field, StrCat("expected a UUID, got \"", Clip(text, 80), "\""));
}

absl::StatusOr<std::string> ReadText(const std::string& field, bool given,
                                     const std::string& text) {
  if (!given) return std::string();
  if (text.empty() || text.size() > kMostText || text.find('\0') != std::string::npos) {
    return InvalidField(field, StrCat("expected 1 to ", kMostText, " bytes of text"));
  }
  return text;
}

absl::StatusOr<int> ReadLimit(bool given, int limit) {
  if (!given) return kDefaultLimit;
  if (limit < 1 || limit > kMostLimit) {
    return InvalidField("limit", StrCat("expected 1 to ", kMostLimit, ", got ", limit));
  }
  return limit;
}

absl::StatusOr<EventQuery> ReadQuery(const store::v1::ListEventsRequest& request) {
  EventQuery query;
  absl::Status status = ReadIds(request, query.filter);
  if (status.ok()) status = ReadTypes(request, query.filter);
  if (status.ok()) status = ReadTimes(request, query.filter);
  if (status.ok()) status = ReadPaging(request, query);
  if (!status.ok()) return status;
  auto agent = ReadText("agent_id", request.has_agent_id(), request.agent_id());
  if (!agent.ok()) return agent.status();
  query.filter.agent = *std::move(agent);
  return query;
}

}  // namespace god33::api
