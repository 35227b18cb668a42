#include "services/event-store-api/app.h"

#include <prometheus/registry.h>

#include <utility>

#include "base/clock.h"
#include "base/executor.h"
#include "rpc/ops.h"
#include "rpc/server.h"
#include "services/event-store-api/answer_cache.h"
#include "services/event-store-api/causation_store.h"
#include "services/event-store-api/database_watch.h"
#include "services/event-store-api/event_store.h"
#include "services/event-store-api/lookups.h"
#include "services/event-store-api/metrics.h"
#include "services/event-store-api/service.h"
#include "services/event-store-api/session_store.h"
#include "services/event-store-api/stream_hub.h"
#include "services/event-store-api/workflow_history.h"
#include "services/event-store-api/workflow_store.h"
#include "telemetry/log.h"
#include "wire/registry.h"

namespace god33::api {
namespace {

constexpr std::size_t kMostQueued = 1000;

}  // namespace

// In the order of construction; destroyed in reverse.
struct App::Parts {
  explicit Parts(const Config& config)
      : metrics(registry),
        stream_metrics(registry),
        cache_metrics(registry),
        cache(config.cache_mib << 20, cache_metrics),
        reader(config.ReaderOptions()),
        events(reader),
        causation(reader, &cache_metrics.causation),
        workflows(reader),
        history(reader),
        sessions(reader),
        lookups(events, workflows, history, sessions, cache),
        executor(std::make_unique<Executor>(config.connections, kMostQueued)),
        streams(config.StreamOptions(), clock, cache, stream_metrics),
        service(events, causation, workflows, sessions, lookups, payloads, *executor, streams,
                metrics) {}

  wire::PayloadRegistry payloads;
  prometheus::Registry registry;
  Metrics metrics;
  StreamMetrics stream_metrics;
  CacheMetrics cache_metrics;
  AnswerCache cache;
  SystemClock clock;
  rpc::Health health;
  Reader reader;
  EventStore events;
  CausationStore causation;
  WorkflowStore workflows;
  WorkflowHistory history;
  SessionStore sessions;
  Lookups lookups;
  std::unique_ptr<Executor> executor;
  StreamHub streams;
  QueryService service;
  std::unique_ptr<DatabaseWatch> watch;
  std::unique_ptr<rpc::OpsServer> ops;
  std::unique_ptr<rpc::Server> server;
};

absl::StatusOr<std::unique_ptr<App>> App::Start(const Config& config) {
  auto parts = std::make_unique<Parts>(config);
  parts->health.Expect("postgresql");
  auto ops = rpc::OpsServer::Start(config.common.http_listen, parts->health, parts->registry);
  if (!ops.ok()) return ops.status();
  parts->ops = *std::move(ops);
  auto server =
      rpc::Server::Start({.listen = config.common.listen, .reflection = config.reflection},
                         {&parts->service}, parts->health);
  if (!server.ok()) return server.status();
  parts->server = *std::move(server);
  parts->watch = std::make_unique<DatabaseWatch>(parts->reader, parts->health);
  Log(LogLevel::kInfo, "serving",
      {{"grpc", parts->server->address()}, {"http", parts->ops->address()}});
  return std::unique_ptr<App>(new App(std::move(parts)));
}

App::App(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

App::~App() {
  // Streams have no end of their own to wait for.
  parts_->streams.Close();
  parts_->server->Stop(absl::Seconds(3));
  parts_.reset();
  Log(LogLevel::kInfo, "stopped");
}

}  // namespace god33::api
