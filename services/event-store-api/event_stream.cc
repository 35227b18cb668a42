#include "services/event-store-api/event_stream.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "eventlog/horizon.h"
#include "rpc/status.h"
#include "services/event-store-api/stream_hub.h"
#include "wire/proto.h"

namespace god33::api {
namespace {

// A page of the database. Each stream that catches up holds two: one is sent while the next is read.
constexpr std::int64_t kFewestPositions = 500;
constexpr std::int64_t kMostPositions = 64'000;
constexpr int kMostEntries = 500;
constexpr std::int64_t kMostStoredBytes = 256 << 10;

constexpr std::int64_t kReadAgainNanos = 500'000'000;

// Who was cut off and takes nothing even so is hung up on.
constexpr std::int64_t kLingerNanos = 10'000'000'000;

// Behind which position a stream may go on is in metadata, as with every error that ends one.
absl::Status Dropped(std::int64_t after, std::int64_t horizon) {
  absl::Status status =
      eventlog::BelowHorizon(StrCat("what follows position ", after), horizon, "after");
  status = WithMetadata(std::move(status), "position", StrCat(horizon - 1));
  return WithMetadata(std::move(status), "within", "0");
}

bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) ||
         absl::IsDeadlineExceeded(status);
}

}  // namespace

EventStream::EventStream(StreamHub& hub, grpc::CallbackServerContext& context,
                         StreamRequest request)
    : hub_(hub),
      request_(std::move(request)),
      context_(context),
      most_positions_(kFewestPositions) {}

void EventStream::Begin() {
  absl::MutexLock lock(&mutex_);
  StartReading(&EventStream::Open);
}

void EventStream::StartReading(void (EventStream::*read)()) {
  if (ended_ || reading_) return;
  reading_ = true;
  if (!hub_.Submit([self = shared_from_this(), read] { ((*self).*read)(); })) {
    reading_ = false;
    EndLocked(MakeError(absl::StatusCode::kUnavailable, "STOPPING",
                        "this replica stops; go on at another"));
  }
}

void EventStream::Open() {
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
  }
  StreamState state;
  absl::Status status = hub_.reader().Run([&state](pg::Connection& connection) {
    const auto read = ReadStreamState(connection);
    if (read.ok()) state = *read;
    return read.status();
  });
  absl::MutexLock lock(&mutex_);
  reading_ = false;
  if (ended_) return;
  if (status.ok()) status = SetOut(state);
  if (!status.ok()) return EndLocked(std::move(status));
  auto frame = std::make_shared<Frame>();
  frame->mutable_subscribed();
  frame->set_position(point_.position);
  frame->set_within(point_.within);
  begun_ = true;
  Send(std::move(frame));
}

absl::Status EventStream::SetOut(const StreamState& state) {
  if (request_.after.value_or(0) > state.point.head) {
    return InvalidField("after", StrCat("the log ends at position ", state.point.head, ", before ",
                                        *request_.after));
  }
  if (request_.after && *request_.after + 1 < state.point.horizon) {
    return Dropped(*request_.after, state.point.horizon);
  }
  log_id_ = state.point.log_id;
  point_ = {request_.after.value_or(state.point.head), request_.within};
  // Without `after` nothing was missed.
  missed_until_ = state.end(order());
  caught_up_ = !request_.after.has_value();
  return absl::OkStatus();
}

void EventStream::Wake() {
  if (!waiting_.load()) return;
  absl::MutexLock lock(&mutex_);
  MoveOn();
}

void EventStream::MoveOn() {
  while (begun_ && !ended_ && writing_ == nullptr) {
    if (SendPage()) return ReadAhead();
    if (reading_) return;  // the next page
    // Before looking: whoever adds to the ring afterwards sees it, and wakes.
    waiting_.store(true);
    const EventRing::Found found = hub_.ring(order()).After(log_id_, point_);
    if (found.where == EventRing::Where::kAtEnd) {
      if (caught_up_ || point_.position < missed_until_) return;
      caught_up_ = true;
      return SendHeartbeat();
    }
    waiting_.store(false);
    if (found.where == EventRing::Where::kBehind) {
      if (read_again_at_ == 0) StartReading(&EventStream::CatchUp);
      return;
    }
    if (SendFrom(*found.batch)) return;
    point_ = std::max(point_, found.batch->end);
  }
}

bool EventStream::SendPage() {
  while (page_.end != StreamPoint()) {
    if (SendFrom(page_)) return true;
    point_ = std::max(point_, page_.end);
    page_ = std::exchange(next_page_, StreamBatch());
  }
  return false;
}

void EventStream::ReadAhead() {
  if (more_ && next_page_.end == StreamPoint() && read_again_at_ == 0) {
    StartReading(&EventStream::CatchUp);
  }
}

bool EventStream::SendFrom(const StreamBatch& batch) {
  const auto next = std::upper_bound(
      batch.entries.begin(), batch.entries.end(), point_,
      [](const StreamPoint& point, const auto& entry) { return point < entry->point; });
  const auto matches = [this](const auto& entry) { return request_.filter.Matches(*entry); };
  const auto found = std::find_if(next, batch.entries.end(), matches);
  if (found == batch.entries.end()) return false;
  point_ = (*found)->point;
  hub_.metrics().events.Increment();
  const bool more = std::any_of(std::next(found), batch.entries.end(), matches);
  Send((*found)->frame, more ? Next::kAtOnce : Next::kUnknown);
  return true;
}

void EventStream::SendHeartbeat() {
  auto frame = std::make_shared<Frame>();
  *frame->mutable_heartbeat()->mutable_timestamp() = wire::ToProto(hub_.Now());
  frame->set_position(point_.position);
  frame->set_within(point_.within);
  Send(std::move(frame));
}

void EventStream::Send(std::shared_ptr<const Frame> frame, Next next) {
  waiting_.store(false);
  writing_ = std::move(frame);
  written_at_ = MonotonicNanos();
  grpc::WriteOptions options;
  // Frames that follow each other at once go to the network together.
  if (next == Next::kAtOnce) options.set_buffer_hint();
  StartWrite(writing_.get(), options);
}

void EventStream::CatchUp() {
  StreamSlice slice{.order = order(),
                    .after = {},
                    .most_positions = 0,
                    .most_entries = kMostEntries,
                    .most_bytes = kMostStoredBytes};
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    slice.after = std::max(point_, page_.end);
    slice.most_positions = most_positions_;
  }
  hub_.metrics().catch_up_reads.Increment();
  StreamRead read;
  const absl::Status status = hub_.reader().Run([&](pg::Connection& connection) {
    auto result = ReadStream(connection, slice, &request_.filter);
    if (result.ok()) read = *std::move(result);
    return result.status();
  });
  absl::MutexLock lock(&mutex_);
  reading_ = false;
  if (ended_) return;
  if (!status.ok()) {
    if (!MayPass(status)) return EndLocked(status);
    // The stream stays open and goes on when the database is back.
    most_positions_ = kFewestPositions;
    read_again_at_ = MonotonicNanos() + kReadAgainNanos;
    return;
  }
  if (read.state.point.log_id != log_id_) return EndLocked(StreamHub::LogChanged());
  if (slice.after.position + 1 < read.horizon) {
    const std::int64_t after = std::exchange(point_, {.position = read.horizon - 1}).position;
    return EndLocked(Dropped(after, read.horizon));
  }
  Adapt(read);
  more_ = read.batch.end.position < read.state.end(order());
  // A standby may know less than the tail does: then a little later.
  if (read.batch.end <= slice.after) read_again_at_ = MonotonicNanos() + kReadAgainNanos;
  (page_.end == StreamPoint() ? page_ : next_page_) = std::move(read.batch);
  MoveOn();
}

// Looks further ahead where the filter leaves little.
void EventStream::Adapt(const StreamRead& read) {
  if (read.batch.entries.size() < kMostEntries / 4) {
    most_positions_ = std::min(most_positions_ * 4, kMostPositions);
  } else if (read.batch.entries.size() == kMostEntries) {
    most_positions_ = std::max(most_positions_ / 2, kFewestPositions);
  }
}

void EventStream::Tick(std::int64_t now_nanos) {
  absl::MutexLock lock(&mutex_);
  if (done_) return;
  if (ended_) {
    if (writing_ != nullptr && now_nanos - ended_at_ > kLingerNanos) context_.TryCancel();
    return;
  }
  if (writing_ != nullptr) {
    if (now_nanos - written_at_ < hub_.stall_nanos()) return;
    hub_.metrics().cut_off.Increment();
    return EndLocked(MakeError(absl::StatusCode::kResourceExhausted, "SLOW_READER",
                               "nothing was read for too long; go on at the position in metadata"));
  }
  if (!begun_) return;
  if (read_again_at_ != 0 && now_nanos > read_again_at_) {
    read_again_at_ = 0;
    MoveOn();
  }
  if (writing_ == nullptr && now_nanos - written_at_ >= hub_.heartbeat_nanos()) SendHeartbeat();
}

void EventStream::End(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  EndLocked(std::move(status));
}

void EventStream::EndUnlessOf(const Uuid& log_id) {
  absl::MutexLock lock(&mutex_);
  if (begun_ && log_id_ != log_id) EndLocked(StreamHub::LogChanged());
}

void EventStream::EndLocked(absl::Status status) {
  if (ended_) return;
  ended_ = true;
  ended_at_ = MonotonicNanos();
  page_ = next_page_ = StreamBatch();
  waiting_.store(false);
  if (begun_ && !absl::IsAborted(status)) {
    status = WithMetadata(std::move(status), "position", StrCat(point_.position));
    status = WithMetadata(std::move(status), "within", StrCat(point_.within));
  }
  Finish(rpc::ToGrpc(status));
}

void EventStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_.reset();
  if (!ok) return EndLocked(absl::CancelledError("the caller has gone"));
  MoveOn();
}

void EventStream::OnCancel() {
  End(absl::CancelledError("the caller has gone"));
}

void EventStream::OnDone() {
  {
    absl::MutexLock lock(&mutex_);
    done_ = true;
  }
  hub_.Remove(*this);
}

}  // namespace god33::api
