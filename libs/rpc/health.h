#pragma once

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc {
class HealthCheckServiceInterface;
}

namespace god33::rpc {

// What a service says of itself: one status for each component, and the whole, which serves when all
// components do that it can't do without ("postgresql", "rabbitmq"); when others don't ("outbox"), it
// serves, degraded. Shown by grpc.health.v1 (the whole is service "", a component a service of its name)
// and by /healthz. Thread-safe.
class Health {
 public:
  // Makes a component known that the service can't do without; not serving yet.
  void Expect(const std::string& component);

  // Makes a component known whose failure only degrades the service; serving until it fails.
  void ExpectMinor(const std::string& component);

  // `detail` says why it does not serve, for people.
  void Set(const std::string& component, bool serving, const std::string& detail = "");

  bool serving() const;

  // {"status":"ok","components":{"postgresql":{"status":"serving"},...}}; the status is ok, degraded or
  // unavailable, that of a component serving or not_serving (then with `detail`)
  std::string ToJson() const;

  // Reports to this gRPC health service from now on.
  void Attach(grpc::HealthCheckServiceInterface* service);

 private:
  struct Component {
    bool minor = false;
    bool serving = false;
    std::string detail = "starting";
  };
  bool Serving() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Report() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<std::string, Component> components_ ABSL_GUARDED_BY(mutex_);
  grpc::HealthCheckServiceInterface* service_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace god33::rpc
