#include "services/event-store-manager/append_request.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "wire/proto.h"

namespace god33::manager {
namespace {

constexpr char kStrict[] = "strict";

// The same error, about a field below `path`.
absl::Status Below(const std::string& path, const absl::Status& status) {
  const std::string field = StrCat(path, ".", FieldOf(status));
  return MakeError(status.code(), ReasonOf(status), StrCat(path, ".", MessageOf(status)), field);
}

bool IsKind(std::string_view text) {
  constexpr std::size_t kMost = 50;
  return !text.empty() && text.size() <= kMost && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || c == '-' || c == '_';
  });
}

}  // namespace

absl::StatusOr<sequence::NewEvent> ReadNewEvent(const event::v1::EventEnvelope& proto,
                                                const std::string& path, const std::string& caller,
                                                const AppendTerms& terms,
                                                const wire::PayloadRegistry& registry, Clock& clock,
                                                IdSource& ids) {
  event::v1::EventEnvelope complete = proto;
  if (complete.event_id().empty()) complete.set_event_id(ids.New().ToString());
  if (!complete.has_timestamp()) *complete.mutable_timestamp() = wire::ToProto(clock.Now());
  if (!complete.has_source()) {
    complete.mutable_source()->set_host("unknown");
    complete.mutable_source()->set_type("service");
    complete.mutable_source()->set_app(caller);
  }
  auto envelope = wire::FromProto(complete);
  if (!envelope.ok()) return Below(path, envelope.status());
  sequence::NewEvent event = sequence::Prepare(*std::move(envelope));
  event.appended = true;
  event.time_is_ours = !proto.has_timestamp();
  event.payload_errors = registry.Check(event.envelope.type, event.envelope.payload);
  if (terms.validate == kStrict && !event.payload_errors.empty()) {
    return MakeError(absl::StatusCode::kInvalidArgument, "PAYLOAD_INVALID",
                     StrCat(path, ".payload: ", event.payload_errors.front()),
                     StrCat(path, ".payload"));
  }
  return event;
}

absl::StatusOr<std::optional<sequence::Aggregate>> ReadTerms(const AppendTerms& terms) {
  if (!terms.validate.empty() && terms.validate != kStrict) {
    return InvalidField("validate", StrCat("expected \"strict\" or nothing, got \"",
                                           Clip(terms.validate, 40), "\""));
  }
  if (terms.aggregate.empty()) {
    if (terms.expected_version) {
      return InvalidField("expected_version", "expected only together with aggregate");
    }
    return std::nullopt;
  }
  const std::size_t slash = terms.aggregate.find('/');
  const auto id =
      slash == std::string::npos ? std::nullopt : Uuid::Parse(terms.aggregate.substr(slash + 1));
  if (!id || !IsKind(terms.aggregate.substr(0, slash))) {
    return InvalidField("aggregate", "expected <kind>/<uuid>, e.g. workflow/6f9619ff-...");
  }
  if (terms.expected_version && *terms.expected_version < 0) {
    return InvalidField("expected_version", "expected 0 or more");
  }
  return sequence::Aggregate{.name = StrCat(terms.aggregate.substr(0, slash), "/", id->ToString()),
                             .expected_version = terms.expected_version};
}

}  // namespace god33::manager
