#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "http/server.h"
#include "services/gateway/api.h"
#include "services/gateway/cors.h"
#include "services/gateway/health_check.h"
#include "services/gateway/live.h"
#include "services/gateway/metrics.h"

namespace god33::gateway {

// Where every HTTP request enters: gives it an id, and hands it to the API or to one of the few routes
// that no annotation makes: live events, /healthz, /livez, /openapi.json, and what browsers ask before they
// let a page of another origin call. Thread-safe.
class Frontend {
 public:
  // All must outlive it, and the requests under way. `openapi` is the description of the API.
  Frontend(const Api& api, Live& live, const HealthCheck& health, const Cors& cors,
           std::string openapi, IdSource& ids, Metrics& metrics)
      : api_(api),
        live_(live),
        health_(health),
        cors_(cors),
        openapi_(std::move(openapi)),
        ids_(ids),
        metrics_(metrics) {}

  // An http::Handler.
  void Handle(http::Request request, std::unique_ptr<http::Responder> responder) const;

  // An http::Refusal.
  http::Response Refuse(int status, std::string_view detail) const;

 private:
  // The verbs that a path answers; empty if there is nothing at it.
  std::string AllowedOn(const std::string& path) const;

  void HandleOwn(std::shared_ptr<Exchange> exchange) const;

  const Api& api_;
  Live& live_;
  const HealthCheck& health_;
  const Cors& cors_;
  const std::string openapi_;
  IdSource& ids_;
  Metrics& metrics_;
};

}  // namespace god33::gateway
