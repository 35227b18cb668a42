#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "http/server.h"
#include "rpc/health.h"

namespace prometheus {
class Registry;
}

namespace god33::rpc {

// What operators ask a service by HTTP: GET /metrics (Prometheus text), /healthz (200 when it can
// do its work, else 503; says which component can't) and /livez (200 while the process answers).
class OpsServer {
 public:
  // `health` and `registry` must outlive it.
  static absl::StatusOr<std::unique_ptr<OpsServer>> Start(const std::string& listen,
                                                          const Health& health,
                                                          const prometheus::Registry& registry);

  std::string address() const { return server_->address(); }

 private:
  explicit OpsServer(std::unique_ptr<http::Server> server) : server_(std::move(server)) {}

  std::unique_ptr<http::Server> server_;
};

}  // namespace god33::rpc
