#include "tools/god33/event_publish.h"

#include <vector>

#include "absl/strings/str_join.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "tools/god33/broker.h"
#include "tools/god33/environment.h"
#include "tools/god33/input.h"
#include "tools/god33/json_layout.h"
#include "wire/registry.h"

namespace god33::cli {
namespace {

// The store keeps an event whose payload breaks its schema, and flags it; so it is only refused on
// demand.
absl::Status CheckPayload(const event::Envelope& envelope, const std::string& validate,
                          Session& session) {
  if (validate == "off") return absl::OkStatus();
  const std::vector<std::string> errors =
      wire::PayloadRegistry().Check(envelope.type, envelope.payload);
  if (errors.empty()) return absl::OkStatus();
  if (validate == "strict") {
    return MakeError(absl::StatusCode::kInvalidArgument, "PAYLOAD_INVALID",
                     StrCat("the payload breaks the schema of ", envelope.type, ": ",
                            absl::StrJoin(errors, "; ")),
                     "--json");
  }
  for (const std::string& error : errors) session.Warn(StrCat("payload: ", error));
  return absl::OkStatus();
}

absl::Status Publish(const event::Envelope& envelope, const std::string& message,
                     const std::string& exchange, Session& session) {
  const auto broker = BrokerFromEnvironment();
  if (!broker.ok()) return broker.status();
  absl::Status status = PublishOnce(*broker,
                                    {.exchange = exchange,
                                     .routing_key = envelope.type,
                                     .body = message,
                                     .message_id = envelope.id.ToString()},
                                    session.options.timeout);
  if (ReasonOf(status) == "NOT_CONFIRMED" || ReasonOf(status) == amqp::Publisher::kBlocked) {
    // With the same id, time and content it counts once.
    session.Note(StrCat("The event may have arrived. To publish it again safely, add: --event-id ",
                        envelope.id.ToString(), " --timestamp ", FormatTimestamp(envelope.time)));
  }
  return status;
}

}  // namespace

absl::Status PublishEvent(const PublishOptions& options, Session& session) {
  auto payload = ReadTextArgument("--json", options.json, kMaxEventBytes);
  if (!payload.ok()) return payload.status();
  EventDraft draft = options.draft;
  draft.payload = *std::move(payload);
  const auto envelope = MakeEnvelope(draft, HostName(), session.clock, session.ids);
  if (!envelope.ok()) return envelope.status();
  const auto message = MakeMessage(*envelope);
  if (!message.ok()) return message.status();
  if (absl::Status status = CheckPayload(*envelope, options.validate, session); !status.ok()) {
    return status;
  }
  if (options.dry_run) {
    const Unsafe unsafe = session.paper.screen.terminal ? Unsafe::kEscape : Unsafe::kKeep;
    return PrintJson(session.paper, *message,
                     [&] { return StrCat(IndentJson(*message, unsafe), "\n"); });
  }
  if (absl::Status status = Publish(*envelope, *message, options.exchange, session); !status.ok()) {
    return status;
  }
  return PrintJson(session.paper, *message, [&] { return StrCat(envelope->id.ToString(), "\n"); });
}

}  // namespace god33::cli
