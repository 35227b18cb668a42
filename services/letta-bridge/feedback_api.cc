#include "services/letta-bridge/feedback_api.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "json/write.h"
#include "reaction/decide.h"
#include "reaction/journal.h"
#include "services/letta-bridge/feedback_list.h"
#include "services/letta-bridge/fields.h"
#include "services/letta-bridge/handoff.h"
#include "services/letta-bridge/orders.h"
#include "services/letta-bridge/questions.h"
#include "services/letta-bridge/settlement.h"
#include "wire/timestamp.h"

namespace god33::letta {
namespace {

constexpr std::size_t kMostText = 100'000;
constexpr std::size_t kMostReason = 1000;
constexpr std::size_t kMostName = 255;
constexpr absl::Duration kPoolTimeout = absl::Seconds(2);

// ALREADY_ANSWERED, with who and when.
absl::Status TooLate(const v1::Feedback& feedback) {
  const auto at = wire::ReadTime("settled_at", feedback.settled_at());
  const std::string when = at.ok() ? FormatTimestamp(*at) : "";
  absl::Status status =
      MakeError(absl::StatusCode::kAlreadyExists,
                StrCat("ALREADY_", absl::AsciiStrToUpper(feedback.status())),
                StrCat("question ", feedback.request_id(), " was ", feedback.status(), " before",
                       feedback.responder().empty() ? "" : " by ", feedback.responder(), ", at ",
                       when, ", with event ", feedback.settled_by()));
  status = WithMetadata(std::move(status), "settled_by", feedback.settled_by());
  status = WithMetadata(std::move(status), "settled_at", when);
  return WithMetadata(std::move(status), "responder", feedback.responder());
}

// An answer that is in the log, and not looked at yet.
absl::Status TooLateFor(const Uuid& answer) {
  return WithMetadata(
      MakeError(absl::StatusCode::kAlreadyExists, "ALREADY_ANSWERED",
                StrCat("another answer stands in the log before, event ", answer.ToString())),
      "settled_by", answer.ToString());
}

}  // namespace

absl::StatusOr<FeedbackApi::Appended> FeedbackApi::Settle(const Uuid& request_id, const char* type,
                                                          std::initializer_list<Member> members) {
  Appended appended{.event_id = ids_.New()};
  const reaction::Journal journal(kReactionService);
  const auto decision = [&](pg::Connection& connection) -> absl::StatusOr<sequence::Unit> {
    v1::Feedback before;
    absl::Status status = ReadFeedback(connection, request_id, before);
    if (!status.ok()) return status;
    if (before.status() != "pending") return TooLate(before);

    std::string payload;
    json::Writer writer(payload);
    writer.BeginObject();
    writer.Key("request_id");
    writer.String(request_id.ToString());
    for (const Member& member :
         {Member{"session_id", before.session_id()}, Member{"task_id", before.task_id()},
          Member{"workflow_id", before.workflow_id()}}) {
      if (member.text.empty()) continue;
      writer.Key(member.name);
      writer.String(member.text);
    }
    for (const Member& member : members) {
      if (member.text.empty()) continue;
      writer.Key(member.name);
      writer.String(member.text);
    }
    writer.EndObject();
    auto event = factory_.Make({.type = type,
                                .payload = std::move(payload),
                                .parents = {request_id},
                                .id = appended.event_id});
    if (!event.ok()) return event.status();

    const auto settlement = SettleBy(connection, request_id, event->envelope);
    if (!settlement.ok()) return settlement.status();
    if (settlement->by != appended.event_id) {
      // Somebody was faster between the two looks, or his answer has come over the bus just now.
      if (settlement->settled_now) return TooLateFor(*settlement->by);
      status = ReadFeedback(connection, request_id, before);
      return status.ok() ? TooLate(before) : status;
    }
    // It comes back over the bus and has been seen to by then.
    const auto marked = journal.Mark(connection, appended.event_id);
    if (!marked.ok()) return marked.status();
    status = NotifyBridges(connection);
    if (!status.ok()) return status;
    sequence::Unit unit;
    unit.events.push_back(*std::move(event));
    return unit;
  };
  const auto outcome = reaction::Decide(pool_, decision);
  if (!outcome.ok()) return outcome.status();
  appended.position = outcome->placed.at(0).position;
  auto connection = pool_.AcquireAlive(kPoolTimeout);
  if (!connection.ok()) return connection.status();
  absl::Status status = ReadFeedback(**connection, request_id, appended.feedback);
  if (!status.ok()) return status;
  return appended;
}

absl::Status FeedbackApi::Answer(const v1::AnswerFeedbackRequest& request,
                                 const std::string& caller, v1::AnswerFeedbackResponse& response) {
  const auto id = ReadId("request_id", request.request_id());
  if (!id.ok()) return id.status();
  for (absl::Status status : {CheckText("decision", request.decision(), 1, kMostText),
                              CheckText("rationale", request.rationale(), 0, kMostText),
                              CheckText("responder", request.responder(), 0, kMostName)}) {
    if (!status.ok()) return status;
  }
  auto appended =
      Settle(*id, kAnswered,
             {{"decision", request.decision()},
              {"rationale", request.rationale()},
              {"responder", request.responder().empty() ? caller : request.responder()}});
  if (!appended.ok()) return appended.status();
  response.set_event_id(appended->event_id.ToString());
  response.set_position(appended->position);
  *response.mutable_feedback() = std::move(appended->feedback);
  return absl::OkStatus();
}

absl::Status FeedbackApi::Withdraw(const v1::WithdrawFeedbackRequest& request,
                                   const std::string& caller,
                                   v1::WithdrawFeedbackResponse& response) {
  const auto id = ReadId("request_id", request.request_id());
  if (!id.ok()) return id.status();
  if (absl::Status status = CheckText("reason", request.reason(), 0, kMostReason); !status.ok()) {
    return status;
  }
  auto appended = Settle(*id, kWithdrawn, {{"withdrawn_by", caller}, {"reason", request.reason()}});
  if (!appended.ok()) return appended.status();
  response.set_event_id(appended->event_id.ToString());
  response.set_position(appended->position);
  *response.mutable_feedback() = std::move(appended->feedback);
  return absl::OkStatus();
}

}  // namespace god33::letta
