#include "services/event-store-manager/config.h"

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "eventlog/append.h"

namespace god33::manager {
namespace {

constexpr std::int64_t kWeekMillis = 7 * 24 * 3600 * 1000;

}  // namespace

pg::Config Config::Database(const std::string& part) const {
  return {.url = database_url,
          .application_name = StrCat("event-store-manager ", part),
          .role = database_role,
          .settings = eventlog::WriterSettings()};
}

amqp::Config Config::Broker(const std::string& part) const {
  return {.url = broker_url,
          .name = StrCat("event-store-manager ", part),
          .ca_file = broker_ca_file,
          .heartbeat = absl::Seconds(heartbeat_seconds)};
}

absl::StatusOr<Topology> Config::BusTopology() const {
  amqp::Arguments arguments;
  if (single_active_consumer) arguments["x-single-active-consumer"] = true;
  auto main = amqp::MakeQueue(queue, queue_type, std::move(arguments), queue_arguments);
  if (!main.ok()) return main.status();
  main->bindings = {{exchange, "#"}};
  auto dead = amqp::MakeQueue(dead_letter_queue, dead_letter_queue_type,
                              {{"x-message-ttl", kWeekMillis}}, dead_letter_queue_arguments);
  if (!dead.ok()) return dead.status();
  return Topology{
      .exchange = exchange, .queue = *std::move(main), .dead_letter_queue = *std::move(dead)};
}

Config ParseConfig(int argc, char** argv) {
  Config config;
  CLI::App app{
      "event-store-manager: stores every event of Bloodbank in PostgreSQL, once and for good."};
  rpc::AddCommonOptions(app, config.common);
  const auto add = [&app](const char* flag, auto& value, const char* variable, const char* help) {
    return app.add_option(flag, value, help)->envname(variable)->capture_default_str();
  };
  const auto types = CLI::IsMember({"quorum", "classic", "existing"});
  add("--database-url", config.database_url, "DATABASE_URL",
      "postgresql://user:password@host:port/database of the primary; by the environment, since "
      "others "
      "can read arguments")
      ->required();
  add("--database-role", config.database_role, "GOD33_DATABASE_ROLE",
      "Role to take after logging in; empty: the login's own");
  add("--rabbitmq-url", config.broker_url, "RABBITMQ_URL",
      "amqp://user:password@host:port/vhost, or amqps:// for TLS; by the environment")
      ->required();
  add("--rabbitmq-ca-file", config.broker_ca_file, "GOD33_RABBITMQ_CA_FILE",
      "Certificate authorities for amqps; empty: the system's");
  add("--heartbeat", config.heartbeat_seconds, "GOD33_RABBITMQ_HEARTBEAT",
      "Seconds; a consumer that was silent for two to three of them is replaced by its standby")
      ->check(CLI::Range(1, 600));
  add("--exchange", config.exchange, "GOD33_EXCHANGE", "Bloodbank's topic exchange");
  add("--queue", config.queue, "GOD33_QUEUE", "Queue of the manager, bound to everything");
  add("--queue-type", config.queue_type, "GOD33_QUEUE_TYPE",
      "quorum, classic, or existing: take the queue with whatever arguments it has")
      ->check(types);
  add("--queue-arguments", config.queue_arguments, "GOD33_QUEUE_ARGUMENTS",
      "More queue arguments, as JSON: {\"x-max-length\":100000,\"x-overflow\":\"reject-publish\"}");
  add("--single-active-consumer", config.single_active_consumer, "GOD33_SINGLE_ACTIVE_CONSUMER",
      "One replica consumes and the others stand by");
  add("--dead-letter-queue", config.dead_letter_queue, "GOD33_DEAD_LETTER_QUEUE",
      "Queue for copies of dead letters, kept for 7 days");
  add("--dead-letter-queue-type", config.dead_letter_queue_type, "GOD33_DEAD_LETTER_QUEUE_TYPE",
      "quorum, classic or existing")
      ->check(types);
  add("--dead-letter-queue-arguments", config.dead_letter_queue_arguments,
      "GOD33_DEAD_LETTER_QUEUE_ARGUMENTS", "More arguments of it, as JSON");
  add("--prefetch", config.prefetch, "GOD33_PREFETCH", "Most messages taken and not yet acked")
      ->check(CLI::Range(1, 65535));
  add("--batch-events", config.batch_events, "GOD33_BATCH_EVENTS", "Most events in one transaction")
      ->check(CLI::Range(1, 10000));
  add("--max-event-bytes", config.max_event_bytes, "GOD33_MAX_EVENT_BYTES",
      "A larger message becomes a dead letter (too_large)")
      ->check(CLI::Range(1024, 64 << 20));
  add("--event-replay", config.event_replay, "ENABLE_EVENT_REPLAY",
      "Whether stored events can be published again (ReplayService)");
  add("--retention-months", config.retention_months, "GOD33_RETENTION_MONTHS",
      "Complete months of the log to keep besides the current one; older ones are dropped. 0: keep "
      "all")
      ->check(CLI::Range(0, 1200));
  add("--reflection", config.reflection, "GOD33_REFLECTION", "Serve gRPC reflection");
  rpc::ParseOrExit(app, argc, argv);
  return config;
}

}  // namespace god33::manager
