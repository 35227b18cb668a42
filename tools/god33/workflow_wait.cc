#include "tools/god33/workflow_wait.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "event/summary.h"
#include "tools/god33/api_client.h"
#include "tools/god33/interrupt.h"
#include "tools/god33/json_layout.h"
#include "wire/proto.h"
#include "workflow/chain.h"
#include "workflow/handoffs.h"

namespace god33::cli {
namespace {

namespace v1 = store::v1;

using workflow::Handoff;
using workflow::Handoffs;
using workflow::HandoffState;
using workflow::Link;

// Recovering from a crash takes less.
constexpr absl::Duration kRecovery = absl::Seconds(30);

absl::Status OutcomeOf(const Handoff& handoff) {
  const std::string_view name = workflow::NameOf(handoff.state);
  std::string message =
      StrCat("the hand-off ", handoff.state == HandoffState::kFailed    ? "failed"
                              : handoff.state == HandoffState::kBlocked ? "is blocked"
                                                                        : StrCat("was ", name));
  if (!handoff.reason.empty()) StrAppend(&message, ": ", handoff.reason);
  if (!handoff.detail.empty()) StrAppend(&message, " (", handoff.detail, ")");
  std::string reason = "HANDOFF_";
  for (const char c : name) reason.push_back(static_cast<char>(c - 'a' + 'A'));
  return MakeError(absl::StatusCode::kFailedPrecondition, reason, message);
}

class Waiter {
 public:
  Waiter(const HandoffToWaitFor& target, Session& session)
      : target_(target),
        id_(Uuid::Parse(target.handoff).value_or(Uuid())),
        session_(session),
        interrupt_(Interrupt::Install()),
        client_(session.options.api_address, session.options.timeout),
        ends_(target.timeout ? std::optional(FromNow(*target.timeout)) : std::nullopt) {
    request_.set_workflow_id(target.workflow);
    request_.set_after(target.position - 1);
  }

  absl::Status Run() {
    session_.Note(StrCat("Waiting for the hand-off ", target_.handoff,
                         ". Ctrl-C ends the waiting, not the work."));
    Backoff backoff(absl::Milliseconds(100), absl::Seconds(5), RandomFraction);
    for (;;) {
      const absl::Status status = FollowOnce(backoff);
      if (handoff_ && handoff_->over()) return End();
      if (interrupt_->requested()) return Interrupted();
      if (LeftOf(ends_) <= absl::ZeroDuration()) return TimedOut();
      if (Stuck()) return HowToWait(OutcomeOf(*handoff_));
      if (std::exchange(judge_again_, false)) continue;
      if (!begun_ || !GoesOnAfter(status)) return HowToWait(status);
      session_.Warn(StrCat("the stream broke at position ", request_.after(), " (",
                           MessageOf(status), "); going on"));
      if (interrupt_->WaitFor(std::min(backoff.Next(), LeftOf(ends_)))) return Interrupted();
    }
  }

 private:
  static std::int64_t FromNow(absl::Duration duration) {
    return MonotonicNanos() + absl::ToInt64Nanoseconds(duration);
  }

  static absl::Duration LeftOf(const std::optional<std::int64_t>& end) {
    return end ? absl::Nanoseconds(*end - MonotonicNanos()) : absl::InfiniteDuration();
  }

  // What was stored before is not judged: what came of it may stand right behind it.
  bool Stuck() const {
    if (!caught_up_ || !handoff_) return false;
    return handoff_->state == HandoffState::kBlocked ||
           (recovered_by_ && LeftOf(recovered_by_) <= absl::ZeroDuration());
  }

  bool Enough() const {
    return interrupt_->requested() || judge_again_ || Stuck() || (handoff_ && handoff_->over());
  }

  // One call, until it ends, or there is something to be decided.
  absl::Status FollowOnce(Backoff& backoff) {
    grpc::ClientContext context;
    const absl::Duration most = std::min(LeftOf(ends_), LeftOf(recovered_by_));
    if (most < absl::InfiniteDuration()) {
      // A little later, so that the time is up when the call ends.
      SetTimeout(context, std::max(most, absl::ZeroDuration()) + absl::Milliseconds(20));
    }
    interrupt_->Guard(&context);
    const auto reader = client_.Stream(context, request_);
    v1::StreamEventsResponse frame;
    while (!Enough() && reader->Read(&frame)) {
      begun_ = true;
      backoff.Reset();
      Take(frame);
    }
    if (Enough()) context.TryCancel();
    const absl::Status status = client_.EndOf(reader->Finish());
    interrupt_->Guard(nullptr);
    // A server has no reason to end a stream.
    return status.ok() ? absl::UnavailableError("the server ended it") : status;
  }

  void Take(const v1::StreamEventsResponse& frame) {
    if (frame.has_heartbeat()) caught_up_ = true;
    if (frame.has_event()) TakeEvent(frame.event());
    request_.set_after(frame.position());
    request_.set_within(frame.within());
    if (caught_up_) NoteFailure();
  }

  void TakeEvent(const event::v1::EventEnvelope& proto) {
    auto envelope = wire::FromProto(proto);
    if (!envelope.ok()) return;  // the log has no such event
    const std::size_t before = chain_.links().size();
    chain_.Add({.id = envelope->id,
                .type = envelope->type,
                .time = envelope->time,
                .position = proto.position(),
                .since = proto.position(),
                .payload = envelope->payload,
                .parents = envelope->parents});
    if (chain_.links().size() == before) return;
    const Handoffs handoffs(chain_);
    const Handoff* handoff = handoffs.Find(id_);
    if (handoff == nullptr) return;
    handoff_ = *handoff;
    if (handoff_->completed_by == envelope->id) result_ = envelope->payload;
    if (envelope->id != id_) Tell(*envelope, handoffs);
  }

  void Tell(const event::Envelope& envelope, const Handoffs& handoffs) {
    for (const Link& link : chain_.links()) {
      if (link.id != envelope.id) continue;
      const Handoff* about = handoffs.Of(link);
      if (about == nullptr || about->id != id_) return;
      session_.Note(event::Summarize(envelope));
      if (envelope.type == "agent.feedback.requested") TellHowToAnswer(link);
      return;
    }
  }

  void TellHowToAnswer(const Link& question) {
    for (const std::string& option : question.options) session_.Note(StrCat("  - ", option));
    session_.Note(StrCat("  Answer with: god33 feedback answer ", question.id.ToString(), " ..."));
  }

  // A stream that waits does not look at clocks: it is ended and begun anew with the end that counts now.
  void NoteFailure() {
    const bool failed = handoff_ && handoff_->state == HandoffState::kFailed;
    if (failed == recovered_by_.has_value()) return;
    if (failed) {
      recovered_by_ = FromNow(kRecovery);
    } else {
      recovered_by_.reset();
    }
    judge_again_ = true;
  }

  absl::Status End() {
    if (handoff_->state != HandoffState::kCompleted) return OutcomeOf(*handoff_);
    const Unsafe unsafe = session_.paper.screen.terminal ? Unsafe::kEscape : Unsafe::kKeep;
    return PrintJson(session_.paper, result_,
                     [&] { return StrCat(IndentJson(result_, unsafe), "\n"); });
  }

  absl::Status Interrupted() {
    return HowToWait(
        MakeError(absl::StatusCode::kCancelled, "INTERRUPTED", "the work goes on without you"));
  }

  absl::Status TimedOut() {
    return HowToWait(
        MakeError(absl::StatusCode::kDeadlineExceeded, "WAIT_TIMED_OUT",
                  StrCat("after ", absl::FormatDuration(*target_.timeout), " the hand-off is ",
                         handoff_ ? workflow::NameOf(handoff_->state) : "not known yet",
                         "; the work goes on")));
  }

  absl::Status HowToWait(const absl::Status& status) const {
    return WithHint(status, StrCat("to go on waiting: god33 workflow wait ", target_.workflow,
                                   " --handoff ", target_.handoff));
  }

  const HandoffToWaitFor& target_;
  const Uuid id_;
  Session& session_;
  std::shared_ptr<Interrupt> interrupt_;
  ApiClient client_;
  v1::StreamEventsRequest request_;
  workflow::Chain chain_;
  std::optional<Handoff> handoff_;  // as it is now
  std::string result_;
  bool begun_ = false;
  bool caught_up_ = false;
  bool judge_again_ = false;
  std::optional<std::int64_t> ends_;          // by the monotonic clock
  std::optional<std::int64_t> recovered_by_;  // until when a failed session may be recovered
};

}  // namespace

absl::Status WaitForHandoff(const HandoffToWaitFor& target, Session& session) {
  return Waiter(target, session).Run();
}

}  // namespace god33::cli
