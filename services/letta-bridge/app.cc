#include "services/letta-bridge/app.h"

#include <prometheus/registry.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/ids.h"
#include "base/strings.h"
#include "pg/pool.h"
#include "reaction/reactor.h"
#include "rpc/ops.h"
#include "rpc/server.h"
#include "services/letta-bridge/reactions.h"
#include "services/letta-bridge/scheduler.h"
#include "services/letta-bridge/service.h"
#include "telemetry/log.h"
#include "wire/registry.h"

namespace god33::letta {
namespace {

// What steps of tasks share; each holds one for a few milliseconds at a time.
constexpr std::size_t kConnections = 8;

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

}  // namespace

// In the order of construction; destroyed in reverse.
struct App::Parts {
  Parts(const Config& config, Settings work, std::unique_ptr<Backend> letta)
      : settings(std::move(work)),
        backend(std::move(letta)),
        metrics(registry),
        reaction_metrics(registry),
        factory("letta-bridge", HostName(), payloads, clock, ids),
        pool(config.Database("tasks"), kConnections),
        rules{.agent_types = settings.agent_types, .most_on_chain = config.most_delegations},
        reactions(rules, factory, clock, ids, metrics, [this] {
          if (scheduler) scheduler->Wake();
        }) {}

  SystemClock clock;
  TimeOrderedIds ids{clock};
  wire::PayloadRegistry payloads;
  prometheus::Registry registry;
  rpc::Health health;
  Settings settings;
  std::unique_ptr<Backend> backend;
  Metrics metrics;
  reaction::Metrics reaction_metrics;
  reaction::EventFactory factory;
  pg::Pool pool;
  std::unique_ptr<Scheduler> scheduler;
  HandoffRules rules;
  Reactions reactions;
  std::unique_ptr<reaction::Reactor> reactor;
  std::unique_ptr<Service> service;
  std::unique_ptr<rpc::OpsServer> ops;
  std::unique_ptr<rpc::Server> server;
};

absl::StatusOr<std::unique_ptr<App>> App::Start(const Config& config) {
  auto settings = config.WorkSettings();
  if (!settings.ok()) return settings.status();
  const auto queues = config.Queues();
  if (!queues.ok()) return queues.status();
  auto backend = MakeBackend(config.letta_url, config.letta_token);
  if (!backend.ok()) return backend.status();
  auto parts = std::make_unique<Parts>(config, *std::move(settings), *std::move(backend));
  parts->health.Expect("postgresql");
  parts->health.Expect("rabbitmq");
  parts->health.ExpectMinor("letta");
  parts->health.ExpectMinor("reactions");

  auto ops = rpc::OpsServer::Start(config.common.http_listen, parts->health, parts->registry);
  if (!ops.ok()) return ops.status();
  parts->ops = *std::move(ops);

  const std::string holder = StrCat(parts->ids.New().ToString(), " pid ", getpid());
  parts->scheduler =
      std::make_unique<Scheduler>(TaskRun::Parts{.backend = *parts->backend,
                                                 .pool = parts->pool,
                                                 .factory = parts->factory,
                                                 .ids = parts->ids,
                                                 .clock = parts->clock,
                                                 .metrics = parts->metrics,
                                                 .settings = parts->settings},
                                  holder, config.Database("scheduler"), parts->health);

  Parts& at = *parts;
  parts->service = std::make_unique<Service>(
      Service::Parts{.backend = *parts->backend,
                     .factory = parts->factory,
                     .clock = parts->clock,
                     .ids = parts->ids,
                     .metrics = parts->metrics,
                     .settings = parts->settings,
                     .rules = parts->rules,
                     .letta = [&at] { return at.scheduler->LettaStatus(); }},
      config.Database("api"));
  auto server =
      rpc::Server::Start({.listen = config.common.listen, .reflection = config.reflection},
                         {parts->service.get()}, parts->health);
  if (!server.ok()) return server.status();
  parts->server = *std::move(server);

  const std::vector<std::string> types = Reactions::EventTypes();
  parts->reactor = std::make_unique<reaction::Reactor>(
      reaction::Options{.service = kReactionService,
                        .holder = holder,
                        .database = config.Database("reactions"),
                        .broker = config.Broker(),
                        .exchange = config.exchange,
                        .queues = *queues,
                        .event_types = {types.begin(), types.end()}},
      parts->reactions, parts->payloads, parts->clock, parts->reaction_metrics,
      [&at](const std::string& component, bool serving, const std::string& detail) {
        at.health.Set(component, serving, detail);
      });
  Log(LogLevel::kInfo, "serving",
      {{"grpc", parts->server->address()}, {"http", parts->ops->address()}});
  return std::unique_ptr<App>(new App(std::move(parts)));
}

App::App(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

App::~App() {
  parts_->service->Stop();
  parts_->server->Stop(absl::Seconds(3));
  parts_->reactor.reset();
  parts_->scheduler->Stop();
  parts_.reset();
  Log(LogLevel::kInfo, "stopped");
}

}  // namespace god33::letta
