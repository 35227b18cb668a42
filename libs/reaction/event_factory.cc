#include "reaction/event_factory.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "event/check.h"
#include "json/value.h"

namespace god33::reaction {
namespace {

absl::Status Invalid(const event::Envelope& envelope, std::string_view why) {
  return MakeError(absl::StatusCode::kInternal, "EVENT_INVALID",
                   StrCat("the service made an invalid ", envelope.type, ": ", why));
}

std::vector<Uuid> Distinct(const std::vector<Uuid>& parents, const Uuid& self) {
  std::vector<Uuid> distinct;
  for (const Uuid& parent : parents) {
    if (parent != self && std::find(distinct.begin(), distinct.end(), parent) == distinct.end()) {
      distinct.push_back(parent);
    }
  }
  return distinct;
}

}  // namespace

EventFactory::EventFactory(const std::string& service, const std::string& host,
                           const wire::PayloadRegistry& registry, Clock& clock, IdSource& ids)
    : source_{.host = host, .type = "service", .app = service},
      registry_(registry),
      clock_(clock),
      ids_(ids) {}

absl::StatusOr<sequence::NewEvent> EventFactory::Make(EventDraft draft) const {
  event::Envelope envelope;
  envelope.id = draft.id ? *draft.id : ids_.New();
  envelope.type = std::move(draft.type);
  envelope.time = absl::FromUnixMicros(absl::ToUnixMicros(clock_.Now()));
  envelope.source = source_;
  envelope.parents = Distinct(draft.parents, envelope.id);
  envelope.agent_context = std::move(draft.agent_context);
  envelope.payload = std::move(draft.payload);
  if (absl::Status status = event::CheckEnvelope(envelope); !status.ok()) {
    return Invalid(envelope, MessageOf(status));
  }
  const auto payload = json::Value::Parse(envelope.payload);
  if (!payload.ok()) return Invalid(envelope, MessageOf(payload.status()));
  if (!payload->is_object()) return Invalid(envelope, "the payload is no object");
  const std::vector<std::string> errors = registry_.Check(envelope.type, envelope.payload);
  if (!errors.empty()) return Invalid(envelope, StrCat("payload.", errors.front()));
  sequence::NewEvent event = sequence::Prepare(std::move(envelope));
  event.appended = true;
  event.time_is_ours = true;
  return event;
}

}  // namespace god33::reaction
