#include "services/event-store-api/stream_hub.h"

#include <utility>

#include "base/error.h"
#include "rpc/status.h"

namespace god33::api {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(250);

// A call that ends before it has begun.
class Refusal final : public StreamHub::Reactor {
 public:
  explicit Refusal(const absl::Status& status) { Finish(rpc::ToGrpc(status)); }
  void OnDone() override { delete this; }
};

// A server that has stopped answering must not hold up the end of the process for long.
pg::Config TailSession(const Reader::Options& options) {
  pg::Config config = Reader::SessionOf(options);
  config.connect_timeout = config.call_timeout = absl::Seconds(5);
  return config;
}

absl::Status Stopping() {
  return MakeError(absl::StatusCode::kUnavailable, "STOPPING",
                   "this replica stops; go on at another, at the position in metadata");
}

}  // namespace

StreamHub::StreamHub(const Options& options, Clock& clock, AnswerCache& cache,
                     StreamMetrics& metrics)
    : options_(options),
      clock_(clock),
      metrics_(metrics),
      reader_(options.database),
      rings_{EventRing(options.most_events, options.most_bytes),
             EventRing(options.most_events, options.most_bytes)},
      // Each stream has at most one read waiting.
      executor_(
          std::make_unique<Executor>(options.database.connections, 2 * options.most_streams + 100)),
      tail_(std::make_unique<LogTail>(TailSession(options.database), rings_[0], rings_[1],
                                      static_cast<TailListener&>(*this), cache, metrics)),
      ticker_([this] { RunTicks(); }) {}

StreamHub::~StreamHub() {
  Close();
  tail_.reset();
  stop_.Request();
  ticker_.join();
  executor_.reset();
}

StreamHub::Reactor* StreamHub::Open(grpc::CallbackServerContext* context,
                                    const store::v1::StreamEventsRequest& request,
                                    absl::Status admission) {
  if (!admission.ok()) return new Refusal(admission);
  auto read = ReadStreamRequest(request);
  if (!read.ok()) return new Refusal(read.status());
  auto stream = std::make_shared<EventStream>(*this, *context, *std::move(read));
  if (absl::Status status = Add(stream); !status.ok()) return new Refusal(status);
  stream->Begin();
  return stream.get();
}

absl::Status StreamHub::Add(std::shared_ptr<EventStream> stream) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return Stopping();
  if (streams_.size() >= options_.most_streams) {
    metrics_.refused.Increment();
    return MakeError(absl::StatusCode::kResourceExhausted, "TOO_MANY_STREAMS",
                     "this replica has as many streams as it takes; try another, or later");
  }
  ++followers_[static_cast<std::size_t>(stream->order())];
  metrics_.open.Increment();
  streams_.emplace(stream.get(), stream);
  return absl::OkStatus();
}

void StreamHub::Remove(EventStream& stream) {
  std::shared_ptr<EventStream> last;
  absl::MutexLock lock(&mutex_);
  const auto found = streams_.find(&stream);
  if (found == streams_.end()) return;
  last = std::move(found->second);
  streams_.erase(found);
  --followers_[static_cast<std::size_t>(stream.order())];
  metrics_.open.Decrement();
}

std::vector<std::shared_ptr<EventStream>> StreamHub::Streams() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::shared_ptr<EventStream>> streams;
  streams.reserve(streams_.size());
  for (const auto& [_, stream] : streams_) streams.push_back(stream);
  return streams;
}

bool StreamHub::Wants(StreamOrder order) {
  return followers_[static_cast<std::size_t>(order)].load() > 0;
}

void StreamHub::OnMore(StreamOrder order) {
  for (const auto& stream : Streams()) {
    if (stream->order() == order) stream->Wake();
  }
}

void StreamHub::OnLog(const Uuid& log_id) {
  for (const auto& stream : Streams()) stream->EndUnlessOf(log_id);
}

void StreamHub::Close() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  for (const auto& stream : Streams()) stream->End(Stopping());
}

absl::Status StreamHub::LogChanged() {
  return MakeError(absl::StatusCode::kAborted, "LOG_CHANGED",
                   "the log was replaced; begin anew, positions of the old one mean nothing in it");
}

void StreamHub::RunTicks() {
  while (!stop_.WaitFor(kTick)) {
    for (const auto& stream : Streams()) stream->Tick(MonotonicNanos());
  }
}

}  // namespace god33::api
