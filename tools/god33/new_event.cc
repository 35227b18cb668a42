#include "tools/god33/new_event.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "event/check.h"
#include "event/event_type.h"
#include "event/write.h"
#include "json/text.h"
#include "json/value.h"
#include "wire/read.h"

namespace god33::cli {
namespace {

constexpr char kDefaultSourceType[] = "agent";
constexpr char kDefaultApp[] = "god33";

absl::StatusOr<std::string> ReadObject(std::string_view name, std::string_view text) {
  const auto value = json::Value::Parse(text);
  if (!value.ok()) return InvalidField(name, MessageOf(value.status()));
  if (!value->is_object()) {
    return InvalidField(name,
                        StrCat("expected a JSON object, got ", json::Describe(value->kind())));
  }
  return std::string(value->text());
}

absl::StatusOr<Uuid> ReadId(std::string_view name, const std::string& text) {
  if (const auto id = Uuid::Parse(text)) return *id;
  return InvalidField(name, StrCat("expected a UUID, got \"", Clip(text, 80), "\""));
}

absl::StatusOr<absl::Time> ReadTime(const std::string& text, Clock& clock) {
  // Envelopes hold whole microseconds.
  if (text.empty()) return absl::FromUnixMicros(absl::ToUnixMicros(clock.Now()));
  const auto time = ParseTimestamp(text);
  if (!time.ok()) return InvalidField("--timestamp", MessageOf(time.status()));
  return *time;
}

absl::StatusOr<std::vector<Uuid>> ReadParents(const std::vector<std::string>& texts,
                                              const Uuid& self) {
  std::vector<Uuid> parents;
  for (const std::string& text : texts) {
    const auto parent = ReadId("--correlation-id", text);
    if (!parent.ok()) return parent.status();
    const bool known = std::find(parents.begin(), parents.end(), *parent) != parents.end();
    if (!known && *parent != self) parents.push_back(*parent);
  }
  return parents;
}

absl::StatusOr<event::Source> MakeSource(const EventDraft& draft, const std::string& host) {
  event::Source source{
      .host = draft.source_host.empty() ? json::CleanText(host) : draft.source_host,
      .type = draft.source_type.empty() ? kDefaultSourceType : draft.source_type,
      .app = draft.source_app.empty() ? kDefaultApp : draft.source_app};
  if (!draft.source_meta.empty()) {
    auto meta = ReadObject("--source-meta", draft.source_meta);
    if (!meta.ok()) return meta.status();
    source.meta = *std::move(meta);
  }
  return source;
}

std::optional<event::AgentContext> MakeContext(const EventDraft& draft) {
  const auto given = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string>(text);
  };
  event::AgentContext context;
  context.type = given(draft.agent_type);
  context.name = given(draft.agent_name);
  context.instance_id = given(draft.agent_instance);
  context.checkpoint_id = given(draft.checkpoint_id);
  if (context == event::AgentContext()) return std::nullopt;
  return context;
}

}  // namespace

absl::StatusOr<event::Envelope> MakeEnvelope(const EventDraft& draft, const std::string& host,
                                             Clock& clock, IdSource& ids) {
  if (absl::Status status = event::CheckEventType(draft.type); !status.ok()) {
    return InvalidField("TYPE", MessageOf(status));
  }
  event::Envelope envelope;
  envelope.type = draft.type;
  auto payload = ReadObject("--json", draft.payload);
  if (!payload.ok()) return payload.status();
  envelope.payload = *std::move(payload);
  const auto id = draft.id.empty() ? ids.New() : ReadId("--event-id", draft.id);
  if (!id.ok()) return id.status();
  envelope.id = *id;
  const auto time = ReadTime(draft.time, clock);
  if (!time.ok()) return time.status();
  envelope.time = *time;
  auto source = MakeSource(draft, host);
  if (!source.ok()) return source.status();
  envelope.source = *std::move(source);
  auto parents = ReadParents(draft.parents, envelope.id);
  if (!parents.ok()) return parents.status();
  envelope.parents = *std::move(parents);
  envelope.agent_context = MakeContext(draft);
  if (absl::Status status = event::CheckEnvelope(envelope); !status.ok()) {
    return MakeError(status.code(), "INVALID_ARGUMENT", MessageOf(status), FieldOf(status));
  }
  return envelope;
}

absl::StatusOr<std::string> MakeMessage(const event::Envelope& envelope) {
  std::string message = event::WriteJson(envelope);
  if (message.size() > kMaxEventBytes) {
    return MakeError(
        absl::StatusCode::kInvalidArgument, "TOO_LARGE",
        StrCat("the event has ", message.size(), " bytes; at most ", kMaxEventBytes, " are stored"),
        "--json");
  }
  const auto read = wire::ReadMessage({.body = message,
                                       .content_type = "application/json",
                                       .message_id = {},
                                       .received_at = envelope.time});
  if (!read.ok()) {
    return MakeError(absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENT",
                     StrCat("the store would not take this event: ", MessageOf(read.status())));
  }
  return message;
}

}  // namespace god33::cli
