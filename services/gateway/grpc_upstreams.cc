#include "services/gateway/grpc_upstreams.h"

#include <grpc/support/time.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <utility>

namespace god33::gateway {
namespace {

using google::protobuf::Message;

constexpr int kMaxMessageBytes = 64 << 20;
constexpr int kLookaheadBytes = 256 << 10;

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  // A service that comes back is found at once, also under a new address of its name.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1'000);
  arguments.SetLoadBalancingPolicyName("round_robin");
  // A connection whose other end vanished without a word is noticed.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  // Also while a stream is quiet and we have nothing to send.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // What a stream's reader has not asked for yet takes no more memory than this; by itself gRPC would
  // let it grow to megabytes on a fast network.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kLookaheadBytes);
  // The environment's proxies are for the way out, and services are configured here alone.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetServiceConfigJSON("{}");
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

// What a call needs until it has ended.
struct Running {
  grpc::ClientContext context;
  absl::AnyInvocable<void(grpc::Status) &&> done;
};

}  // namespace

GrpcUpstreams::GrpcUpstreams(const std::map<std::string, std::string>& addresses) {
  for (const auto& [service, address] : addresses) {
    if (!address.empty()) channels_.emplace(service, MakeChannel(address));
  }
}

void GrpcUpstreams::AwaitIdle() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &GrpcUpstreams::idle));
}

bool GrpcUpstreams::IsConfigured(const std::string& service) const {
  return channels_.contains(service);
}

Upstreams::Cancel GrpcUpstreams::Start(const UpstreamCall& call,
                                       absl::AnyInvocable<void(grpc::Status) &&> done) {
  auto running = std::make_shared<Running>();
  running->done = std::move(done);
  // A span instead of a point in time does not care about jumps of the wall clock.
  running->context.set_deadline(
      gpr_time_from_millis(absl::ToInt64Milliseconds(call.timeout), GPR_TIMESPAN));
  for (const auto& [key, value] : call.metadata) running->context.AddMetadata(key, value);
  Began();
  grpc::ClientContext* context = &running->context;
  const std::weak_ptr<Running> weak = running;
  grpc::TemplatedGenericStub<Message, Message> stub(channels_.at(call.service));
  stub.UnaryCall(context, call.method, {}, call.request, call.response,
                 [this, running = std::move(running)](grpc::Status status) mutable {
                   std::move(running->done)(std::move(status));
                   // The context holds the channel, and the end of the last channel joins the
                   // threads that callbacks run on: it must not come on such a thread.
                   running.reset();
                   Ended();
                 });
  return [weak] {
    if (const auto still_running = weak.lock()) still_running->context.TryCancel();
  };
}

// A stream under way. The hold keeps gRPC from ending it while a read may still be asked for: it is let
// go when a read has failed, or by Cancel when none is under way.
class GrpcUpstreams::Stream final : public UpstreamStream,
                                    public grpc::ClientBidiReactor<Message, Message> {
 public:
  Stream(GrpcUpstreams& upstreams, UpstreamStreamCall call, UpstreamStreamEvents events)
      : upstreams_(upstreams),
        call_(std::move(call)),
        events_(std::move(events)),
        context_(std::make_unique<grpc::ClientContext>()) {
    for (const auto& [key, value] : call_.metadata) context_->AddMetadata(key, value);
  }

  // `self` is this.
  void Begin(const std::shared_ptr<grpc::Channel>& channel, std::shared_ptr<Stream> self) {
    self_ = std::move(self);
    grpc::TemplatedGenericStub<Message, Message> stub(channel);
    stub.PrepareBidiStreamingCall(context_.get(), call_.method, {}, this);
    AddHold();
    StartWriteLast(call_.request.get(), {});
    StartCall();
  }

  void Next() override {
    absl::MutexLock lock(&mutex_);
    if (released_) return;
    reading_ = true;
    StartRead(call_.response.get());
  }

  void Cancel() override {
    bool release = false;
    {
      absl::MutexLock lock(&mutex_);
      cancelled_ = true;
      if (context_ != nullptr) context_->TryCancel();
      release = !reading_ && !std::exchange(released_, true);
    }
    if (release) RemoveHold();
  }

  void OnReadDone(bool ok) override {
    bool release = false;
    {
      absl::MutexLock lock(&mutex_);
      reading_ = false;
      if (!ok || cancelled_) release = !std::exchange(released_, true);
    }
    if (release) return RemoveHold();
    events_.message(*call_.response);
  }

  void OnDone(const grpc::Status& status) override {
    std::shared_ptr<Stream> self = std::move(self_);
    std::move(events_.done)(status);
    events_ = {};
    {
      // As for calls: the context must go before the channel may.
      absl::MutexLock lock(&mutex_);
      context_.reset();
    }
    GrpcUpstreams& upstreams = upstreams_;
    self.reset();
    upstreams.Ended();
  }

 private:
  GrpcUpstreams& upstreams_;
  UpstreamStreamCall call_;
  UpstreamStreamEvents events_;
  std::shared_ptr<Stream> self_;  // until OnDone
  absl::Mutex mutex_;
  std::unique_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;  // the hold is, or is about to be
};

std::shared_ptr<UpstreamStream> GrpcUpstreams::Open(UpstreamStreamCall call,
                                                    UpstreamStreamEvents events) {
  Began();
  const auto& channel = channels_.at(call.service);
  auto stream = std::make_shared<Stream>(*this, std::move(call), std::move(events));
  stream->Begin(channel, stream);
  return stream;
}

void GrpcUpstreams::Began() {
  absl::MutexLock lock(&mutex_);
  ++under_way_;
}

void GrpcUpstreams::Ended() {
  absl::MutexLock lock(&mutex_);
  --under_way_;
}

}  // namespace god33::gateway
