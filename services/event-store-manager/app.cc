#include "services/event-store-manager/app.h"

#include <prometheus/registry.h>
#include <unistd.h>

#include <utility>

#include "base/ids.h"
#include "base/strings.h"
#include "rpc/ops.h"
#include "rpc/server.h"
#include "services/event-store-manager/bus_reader.h"
#include "services/event-store-manager/dead_letter_service.h"
#include "services/event-store-manager/follower.h"
#include "services/event-store-manager/housekeeper.h"
#include "services/event-store-manager/outbox.h"
#include "services/event-store-manager/projection_service.h"
#include "services/event-store-manager/projector.h"
#include "services/event-store-manager/replay_service.h"
#include "services/event-store-manager/replayer.h"
#include "services/event-store-manager/retention_service.h"
#include "services/event-store-manager/service.h"
#include "services/event-store-manager/sorter.h"
#include "services/event-store-manager/workflow_service.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

// What resting adds, at the most, to the way of an event to the bus and into the projections.
constexpr absl::Duration kRelayRest = absl::Milliseconds(10);
constexpr absl::Duration kProjectorRest = absl::Milliseconds(100);

}  // namespace

// In the order of construction; destroyed in reverse: first the surfaces, then what works off the
// log, then the reader, and the writer last, since the others hand their work to it.
struct App::Parts {
  Parts(const Config& config, const Topology& topology)
      : metrics(registry),
        sorter(clock, payloads, config.max_event_bytes),
        outbox(config.Broker("outbox"), topology, metrics, health),
        projector(config.Database("projector"), metrics, config.retention_months),
        dead_letters(config.Database("dead letters"), DeadLetterService::kThreads),
        dead_letter_service(dead_letters, config.Broker("dead letters"), sorter, metrics) {}

  SystemClock clock;
  TimeOrderedIds ids{clock};
  wire::PayloadRegistry payloads;
  prometheus::Registry registry;
  Metrics metrics;
  rpc::Health health;
  Sorter sorter;
  Outbox outbox;
  Projector projector;
  DeadLetterStore dead_letters;
  DeadLetterService dead_letter_service;

  std::unique_ptr<LogWriter> writer;
  std::unique_ptr<BusReader> reader;
  std::unique_ptr<Follower> outbox_follower;
  std::unique_ptr<Follower> projection_follower;
  std::unique_ptr<Housekeeper> housekeeper;
  std::unique_ptr<Replayer> replayer;
  std::unique_ptr<AppendService> service;
  std::unique_ptr<ReplayService> replay_service;
  std::unique_ptr<ProjectionService> projection_service;
  std::unique_ptr<RetentionService> retention_service;
  std::unique_ptr<WorkflowService> workflow_service;
  std::unique_ptr<rpc::OpsServer> ops;
  std::unique_ptr<rpc::Server> server;
};

absl::StatusOr<std::unique_ptr<App>> App::Start(const Config& config) {
  auto topology = config.BusTopology();
  if (!topology.ok()) return topology.status();
  auto parts = std::make_unique<Parts>(config, *topology);
  parts->health.Expect("postgresql");
  parts->health.Expect("rabbitmq");
  parts->health.ExpectMinor("outbox");

  auto ops = rpc::OpsServer::Start(config.common.http_listen, parts->health, parts->registry);
  if (!ops.ok()) return ops.status();
  parts->ops = *std::move(ops);

  parts->writer =
      std::make_unique<LogWriter>(LogWriter::Options{.database = config.Database("writer"),
                                                     .batch_events = config.batch_events},
                                  parts->clock, parts->metrics, parts->health);
  parts->service = std::make_unique<AppendService>(*parts->writer, parts->payloads, parts->clock,
                                                   parts->ids, config.Database("idempotency-keys"));
  parts->replay_service =
      std::make_unique<ReplayService>(ReplayService::Options{.database = config.Database("replays"),
                                                             .live_exchange = config.exchange,
                                                             .enabled = config.event_replay},
                                      parts->ids);
  parts->projection_service =
      std::make_unique<ProjectionService>(config.Database("projection jobs"), parts->ids);
  parts->retention_service =
      std::make_unique<RetentionService>(config.Database("retention"), config.retention_months);
  parts->workflow_service = std::make_unique<WorkflowService>(
      *parts->writer, parts->payloads, parts->clock, parts->ids, config.Database("workflows"));
  auto server = rpc::Server::Start(
      {.listen = config.common.listen, .reflection = config.reflection},
      {parts->service.get(), parts->replay_service.get(), parts->projection_service.get(),
       parts->retention_service.get(), parts->workflow_service.get(), &parts->dead_letter_service},
      parts->health);
  if (!server.ok()) return server.status();
  parts->server = *std::move(server);

  parts->reader = std::make_unique<BusReader>(
      BusReader::Options{
          .broker = config.Broker("reader"), .topology = *topology, .prefetch = config.prefetch},
      parts->sorter, *parts->writer, parts->metrics, parts->health);
  const std::string holder = StrCat(parts->ids.New().ToString(), " pid ", getpid());
  parts->outbox_follower = std::make_unique<Follower>("outbox", holder, config.Database("outbox"),
                                                      kRelayRest, parts->outbox);
  parts->projection_follower = std::make_unique<Follower>(
      "projector", holder, config.Database("projector"), kProjectorRest, parts->projector);
  if (config.event_replay) {
    parts->replayer = std::make_unique<Replayer>(config.Database("replayer"),
                                                 config.Broker("replayer"), parts->metrics);
  }
  parts->housekeeper = std::make_unique<Housekeeper>(config.Database("housekeeper"));

  Log(LogLevel::kInfo, "serving",
      {{"grpc", parts->server->address()}, {"http", parts->ops->address()}});
  return std::unique_ptr<App>(new App(std::move(parts)));
}

App::App(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

App::~App() {
  // Work on many dead letters ends after its step; what was done stays done.
  parts_->dead_letter_service.Stop();
  // Appends under way are answered, new ones go to another replica.
  parts_->server->Stop(absl::Seconds(3));
  parts_.reset();
  Log(LogLevel::kInfo, "stopped");
}

}  // namespace god33::manager
