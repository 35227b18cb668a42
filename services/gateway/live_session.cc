#include "services/gateway/live_session.h"

#include <grpc/support/time.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "services/gateway/answer.h"
#include "services/gateway/call_metadata.h"
#include "services/gateway/live_frames.h"
#include "services/gateway/live_request.h"
#include "services/gateway/services.h"
#include "telemetry/log.h"

namespace god33::gateway {
namespace {

using store::v1::StreamEventsRequest;
using store::v1::StreamEventsResponse;

constexpr std::size_t kMostComplaints = 10;
constexpr std::size_t kMostSubscriptions = 60;

const LiveMethod& Method() {
  static const LiveMethod& method = *new LiveMethod(StreamMethod());
  return method;
}

// Whether another replica, or the same one later, may go on with the stream.
bool IsAway(const grpc::Status& status) {
  // A stream has no end of its own, and nobody but a stopping server cancels a current one.
  return status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::CANCELLED;
}

absl::Status ErrorOf(const grpc::Status& status) {
  if (!IsAway(status)) return CallError(status, Method().service, absl::ZeroDuration());
  return MakeError(absl::StatusCode::kUnavailable, "SERVICE_UNAVAILABLE",
                   StrCat(Method().service, " can't be reached now"));
}

int CloseCodeOf(const absl::Status& error) {
  switch (error.code()) {
    case absl::StatusCode::kUnavailable:
      return http::kCloseTryAgainLater;
    case absl::StatusCode::kAborted:
      return http::kCloseServiceRestart;
    case absl::StatusCode::kResourceExhausted:
      return ReasonOf(error) == "SLOW_READER" ? http::kClosePolicy : http::kCloseTryAgainLater;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kPermissionDenied:
      return http::kClosePolicy;
    default:
      return http::kCloseInternal;
  }
}

// Whether another subscription may fare better.
bool IsAboutRequest(const absl::Status& error) {
  return error.code() == absl::StatusCode::kInvalidArgument ||
         error.code() == absl::StatusCode::kOutOfRange ||
         error.code() == absl::StatusCode::kPermissionDenied;
}

// Where the log begins, if retention has dropped what was asked for.
std::optional<std::int64_t> HorizonOf(const absl::Status& error) {
  const auto metadata = MetadataOf(error);
  const auto found = metadata.find("horizon");
  std::int64_t horizon = 0;
  if (found == metadata.end() || !absl::SimpleAtoi(found->second, &horizon)) return std::nullopt;
  return horizon;
}

}  // namespace

bool PerMinute::TooOften(std::int64_t now_nanos) {
  constexpr std::int64_t kMinute = 60'000'000'000;
  while (!times_.empty() && now_nanos - times_.front() > kMinute) times_.pop_front();
  if (times_.size() > most_) return true;
  times_.push_back(now_nanos);
  return times_.size() > most_;
}

LiveSession::LiveSession(std::shared_ptr<Exchange> exchange, std::unique_ptr<LiveClient> client,
                         Upstreams& upstreams, Options options)
    : options_(std::move(options)),
      exchange_(std::move(exchange)),
      upstreams_(upstreams),
      client_(std::move(client)),
      backoff_(absl::Milliseconds(100), absl::Seconds(1), RandomFraction),
      complaints_(kMostComplaints),
      subscriptions_(kMostSubscriptions) {}

void LiveSession::Start(const StreamEventsRequest& request) {
  exchange_->OnGone([self = shared_from_this()] { self->OnGone(); });
  absl::MutexLock lock(&mutex_);
  if (!ended_) Subscribe(request);
}

void LiveSession::Subscribe(const StreamEventsRequest& request) {
  request_ = request;
  if (request_.has_after()) position_ = request_.after();
  // It speaks of one subscription's late events: to another one they may be news.
  within_ = request_.within();
  announced_ = false;
  away_since_nanos_.reset();
  backoff_.Reset();
  Open();
}

void LiveSession::Open() {
  LetGo();
  auto request = std::make_unique<StreamEventsRequest>(request_);
  if (position_) request->set_after(*position_);
  request->set_within(within_);
  const int generation = ++generation_;
  upstream_ = upstreams_.Open(
      {.service = Method().service,
       .method = Method().path,
       .metadata = CallMetadata(auth::Principal{}, exchange_->id(), exchange_->request().headers),
       .request = std::move(request),
       .response = std::make_unique<StreamEventsResponse>()},
      {.message =
           [self = shared_from_this(), generation](const google::protobuf::Message& message) {
             self->OnMessage(generation, static_cast<const StreamEventsResponse&>(message));
           },
       .done = [self = shared_from_this(),
                generation](const grpc::Status& status) { self->OnDone(generation, status); }});
  upstream_->Next();
}

void LiveSession::OnMessage(int generation, const StreamEventsResponse& response) {
  absl::MutexLock lock(&mutex_);
  if (ended_ || generation != generation_) return;
  if (!begun_) Begin();
  away_since_nanos_.reset();
  backoff_.Reset();
  if (response.has_subscribed() && std::exchange(announced_, true)) {
    return upstream_->Next();  // it goes on after an outage, which the client need not know
  }
  position_ = response.position();
  within_ = response.within();
  if (!client_->Send(response,
                     [self = shared_from_this(), generation] { self->OnWritten(generation); })) {
    End(http::kClosePolicy, "too much waits to be read");
  }
}

void LiveSession::OnWritten(int generation) {
  absl::MutexLock lock(&mutex_);
  if (!ended_ && generation == generation_ && upstream_ != nullptr) upstream_->Next();
}

void LiveSession::Begin() {
  begun_ = true;
  client_->Begin(*exchange_,
                 {.message = [self = shared_from_this()](
                                 const std::string& text) { self->OnClientMessage(text); },
                  .gone = [self = shared_from_this()](int /*code*/) { self->OnGone(); }});
}

void LiveSession::OnDone(int generation, const grpc::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (ended_ || generation != generation_) return;
  upstream_.reset();
  const absl::Status error = ErrorOf(status);
  if (!begun_) {
    ended_ = true;
    return exchange_->Fail(error, status.error_message());
  }
  if (IsAway(status) && TryAgainLater()) return;
  Log(LogLevel::kInfo, "live stream ended",
      {{"request_id", exchange_->id()},
       {"reason", ReasonOf(error)},
       {"error", status.error_message()}});
  Lost(error);
}

bool LiveSession::TryAgainLater() {
  const std::int64_t now = MonotonicNanos();
  if (!away_since_nanos_) away_since_nanos_ = now;
  const absl::Duration wait = backoff_.Next();
  if (absl::Nanoseconds(now - *away_since_nanos_) + wait > options_.patience) return false;
  retry_ = std::make_unique<grpc::Alarm>();
  const gpr_timespec when =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_millis(absl::ToInt64Milliseconds(wait), GPR_TIMESPAN));
  retry_->Set(when, [self = shared_from_this(), generation = generation_](bool /*expired*/) {
    absl::MutexLock lock(&self->mutex_);
    if (!self->ended_ && generation == self->generation_) self->Open();
  });
  return true;
}

void LiveSession::Lost(const absl::Status& error) {
  // In another log the positions of this one mean nothing.
  const bool resumable = error.code() != absl::StatusCode::kAborted;
  if (const auto horizon = HorizonOf(error)) {
    // What was next is gone.
    SendText(ErrorFrame(error, *horizon - 1, 0), "error");
  } else {
    SendText(ErrorFrame(error, resumable ? position_ : std::nullopt, within_), "error");
  }
  // The client may subscribe to something else.
  if (ended_ || (options_.can_subscribe && IsAboutRequest(error))) return;
  End(CloseCodeOf(error), ReasonOf(error));
}

void LiveSession::OnClientMessage(const std::string& text) {
  const absl::StatusOr<ClientFrame> frame = ReadClientFrame(text);
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  if (!frame.ok()) return Complain(frame.status());
  if (!frame->subscribe) return SendText(PongFrame(), "pong");
  if (subscriptions_.TooOften(MonotonicNanos())) {
    return Lost(MakeError(absl::StatusCode::kResourceExhausted, "TOO_MANY_SUBSCRIPTIONS",
                          StrCat("more than ", kMostSubscriptions, " subscriptions a minute")));
  }
  Subscribe(*frame->subscribe);
}

void LiveSession::Complain(const absl::Status& error) {
  SendText(ErrorFrame(error, position_, within_), "error");
  if (complaints_.TooOften(MonotonicNanos())) {
    End(http::kClosePolicy, "too many malformed frames");
  }
}

void LiveSession::SendText(std::string frame, const char* type) {
  if (ended_ || client_->SendText(std::move(frame), type)) return;
  End(http::kClosePolicy, "too much waits to be read");
}

void LiveSession::End(int code, const std::string& reason) {
  if (std::exchange(ended_, true)) return;
  LetGo();
  client_->Close(code, reason);
}

void LiveSession::OnGone() {
  absl::MutexLock lock(&mutex_);
  if (std::exchange(ended_, true)) return;
  LetGo();
  if (begun_) {
    client_->Close(http::kCloseGoingAway, "");
  } else {
    exchange_->Fail(absl::CancelledError("the request was cancelled"));
  }
}

void LiveSession::LetGo() {
  retry_.reset();
  if (upstream_ != nullptr) std::exchange(upstream_, nullptr)->Cancel();
}

}  // namespace god33::gateway
