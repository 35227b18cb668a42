#include "services/gateway/app.h"

#include <prometheus/registry.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/ids.h"
#include "http/server.h"
#include "rpc/health.h"
#include "rpc/ops.h"
#include "services/gateway/api.h"
#include "services/gateway/frontend.h"
#include "services/gateway/grpc_upstreams.h"
#include "services/gateway/health_check.h"
#include "services/gateway/live.h"
#include "services/gateway/live_metrics.h"
#include "services/gateway/metrics.h"
#include "services/gateway/services.h"
#include "telemetry/log.h"

namespace god33::gateway {

// In the order of construction; destroyed in reverse, after ~App has ended all that is under way.
struct App::Parts {
  explicit Parts(const Config& c)
      : config(c),
        metrics(registry),
        live_metrics(registry),
        upstreams(config.addresses),
        health_check(ServedBy(Services()), MinorServices(), upstreams),
        live(upstreams, live_metrics, {.max_connections = config.max_live_connections}) {}

  const Config config;
  SystemClock clock;
  TimeOrderedIds ids{clock};
  prometheus::Registry registry;
  Metrics metrics;
  LiveMetrics live_metrics;
  rpc::Health health;  // the gateway's own: it serves as long as it runs
  GrpcUpstreams upstreams;
  HealthCheck health_check;
  Live live;
  std::unique_ptr<Api> api;
  std::unique_ptr<Frontend> frontend;
  std::unique_ptr<rpc::OpsServer> ops;
  std::unique_ptr<http::Server> server;
};

absl::StatusOr<std::unique_ptr<App>> App::Start(const Config& config) {
  auto parts = std::make_unique<Parts>(config);
  auto api = Api::Create(Services(), parts->upstreams, config.request_timeout);
  if (!api.ok()) return api.status();
  parts->api = *std::move(api);
  parts->frontend =
      std::make_unique<Frontend>(*parts->api, parts->live, parts->health_check, parts->config.cors,
                                 parts->api->OpenApi(), parts->ids, parts->metrics);

  auto ops = rpc::OpsServer::Start(config.common.http_listen, parts->health, parts->registry);
  if (!ops.ok()) return ops.status();
  parts->ops = *std::move(ops);

  const Frontend& frontend = *parts->frontend;
  auto server = http::Server::Start(
      {.listen = config.common.listen,
       .threads = std::max(2u, std::thread::hardware_concurrency()),
       .max_body_bytes = config.max_body_bytes,
       .max_connections = config.max_connections,
       .refusal = [&frontend](int status,
                              std::string_view detail) { return frontend.Refuse(status, detail); }},
      [&frontend](http::Request request, std::unique_ptr<http::Responder> responder) {
        frontend.Handle(std::move(request), std::move(responder));
      });
  if (!server.ok()) return server.status();
  parts->server = *std::move(server);

  Log(LogLevel::kInfo, "serving",
      {{"rest", parts->server->address()}, {"http", parts->ops->address()}});
  return std::unique_ptr<App>(new App(std::move(parts)));
}

App::App(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

App::~App() {
  // Calls whose clients were cut off are cancelled by that, so the second wait is short.
  parts_->server->Stop(parts_->config.drain_timeout);
  parts_->live.AwaitIdle();
  parts_->upstreams.AwaitIdle();
  parts_.reset();
  Log(LogLevel::kInfo, "stopped");
}

}  // namespace god33::gateway
