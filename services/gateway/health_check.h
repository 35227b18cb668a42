#pragma once

#include <functional>
#include <set>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "services/gateway/upstreams.h"

namespace god33::gateway {

// Asks the services how they are, by grpc.health.v1. Thread-safe.
class HealthCheck {
 public:
  // `services`: all that routes lead to; `minor`: those of them without which the rest serves.
  // `upstreams` must outlive it, and the checks under way.
  HealthCheck(std::set<std::string> services, std::set<std::string> minor, Upstreams& upstreams)
      : services_(std::move(services)), minor_(std::move(minor)), upstreams_(upstreams) {}

  struct Report {
    bool serving = false;  // all services are, minor ones apart
    std::string json;
  };

  // Asks all of them at once, each for its status as a whole and for those of the components that a
  // service may depend on. `done` runs once, after at most 2 s:
  //   {"status":"ok","services":{"event-store-api":{"status":"serving",
  //                                                 "components":{"postgresql":"serving"}}}}
  // The status is "ok" when all services are serving with all they have, "degraded" when one serves
  // without some component (such as outbox) or a minor one doesn't serve, else "unavailable"; that of a
  // service or component is serving, not_serving, unreachable or not_configured (the gateway has no
  // address of it). A minor service that is not configured is left out.
  void Run(absl::AnyInvocable<void(Report) &&> done) const;

 private:
  class Round;

  const std::set<std::string> services_;
  const std::set<std::string> minor_;
  Upstreams& upstreams_;
};

}  // namespace god33::gateway
