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
  {
    absl::MutexLock lock(&mutex_);
    ++under_way_;
  }
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

void GrpcUpstreams::Ended() {
  absl::MutexLock lock(&mutex_);
  --under_way_;
}

}  // namespace god33::gateway
