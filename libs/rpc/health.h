#pragma once

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc {
class HealthCheckServiceInterface;
}

namespace god33::rpc {

// What a service says of itself: one status for each component it can't do without ("postgresql",
// "rabbitmq"), and the whole, which serves when all of them do. Shown by grpc.health.v1 (the whole
// is service "", a component a service of its name) and by /healthz. Thread-safe.
class Health {
 public:
  // Makes a component known, not serving yet.
  void Expect(const std::string& component);

  // `detail` says why it does not serve, for people.
  void Set(const std::string& component, bool serving, const std::string& detail = "");

  bool serving() const;

  // {"status":"ok","components":{"postgresql":{"status":"serving"},...}}
  std::string ToJson() const;

  // Reports to this gRPC health service from now on.
  void Attach(grpc::HealthCheckServiceInterface* service);

 private:
  struct Component {
    bool serving = false;
    std::string detail = "starting";
  };
  bool AllServing() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Report() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<std::string, Component> components_ ABSL_GUARDED_BY(mutex_);
  grpc::HealthCheckServiceInterface* service_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace god33::rpc
