#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "services/gateway/upstreams.h"

namespace grpc {
class Channel;
}

namespace god33::gateway {

// Upstreams over gRPC channels. A channel connects when it is first used and reconnects by itself
// within a second of the service's return; until then calls fail at once.
class GrpcUpstreams final : public Upstreams {
 public:
  // By service: host:port. One without an address is not configured.
  explicit GrpcUpstreams(const std::map<std::string, std::string>& addresses);

  ~GrpcUpstreams() override { AwaitIdle(); }

  bool IsConfigured(const std::string& service) const override;
  Cancel Start(const UpstreamCall& call, absl::AnyInvocable<void(grpc::Status) &&> done) override;

  std::shared_ptr<UpstreamStream> Open(UpstreamStreamCall call,
                                       UpstreamStreamEvents events) override;

  // Waits until no call is under way: each ends by its deadline at the latest, or when it is
  // cancelled.
  void AwaitIdle();

 private:
  class Stream;

  void Began();
  void Ended();
  bool idle() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return under_way_ == 0; }

  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;
  absl::Mutex mutex_;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace god33::gateway
