#include "services/event-store-api/config.h"

#include <CLI/CLI.hpp>
#include <utility>

namespace god33::api {

Reader::Options Config::ReaderOptions() const {
  return {.database = {.url = database_url,
                       .application_name = "event-store-api",
                       .role = database_role},
          .connections = connections,
          .query_timeout = absl::Milliseconds(query_timeout_ms)};
}

StreamHub::Options Config::StreamOptions() const {
  Reader::Options database = ReaderOptions();
  database.connections = stream_readers;
  return {.database = std::move(database),
          .most_streams = streams,
          .most_events = stream_events,
          .most_bytes = stream_mib << 20,
          .heartbeat = absl::Milliseconds(stream_heartbeat_ms),
          .stall = absl::Milliseconds(stream_stall_ms)};
}

namespace {

template <typename Add>
void AddStreamOptions(Add& add, Config& config) {
  add("--streams", config.streams, "GOD33_STREAMS",
      "Live streams at a time; more are refused (TOO_MANY_STREAMS)")
      ->check(CLI::Range(0, 100'000));
  add("--stream-readers", config.stream_readers, "GOD33_STREAM_READERS",
      "Database connections for streams that catch up, beside one that follows the log")
      ->check(CLI::Range(1, 100));
  add("--stream-events", config.stream_events, "GOD33_STREAM_EVENTS",
      "Newest events held in memory for streams; who is further behind reads the database")
      ->check(CLI::Range(1, 10'000'000));
  add("--stream-mib", config.stream_mib, "GOD33_STREAM_MIB", "The same in MiB")
      ->check(CLI::Range(1, 65'536));
  add("--stream-heartbeat-ms", config.stream_heartbeat_ms, "GOD33_STREAM_HEARTBEAT_MS",
      "A stream without other frames sends a heartbeat this often")
      ->check(CLI::Range(100, 3'600'000));
  add("--stream-stall-ms", config.stream_stall_ms, "GOD33_STREAM_STALL_MS",
      "A stream whose client takes nothing for this long is cut off (SLOW_READER)")
      ->check(CLI::Range(100, 3'600'000));
}

}  // namespace

Config ParseConfig(int argc, char** argv) {
  Config config;
  CLI::App app{
      "event-store-api: answers queries over the events that Bloodbank carried, and streams them "
      "live."};
  rpc::AddCommonOptions(app, config.common);
  const auto add = [&app](const char* flag, auto& value, const char* variable, const char* help) {
    return app.add_option(flag, value, help)->envname(variable)->capture_default_str();
  };
  add("--database-url", config.database_url, "DATABASE_URL",
      "postgresql://user:password@host:port/database, a read replica will do; by the environment, "
      "since "
      "others can read arguments")
      ->required();
  add("--database-role", config.database_role, "GOD33_DATABASE_ROLE",
      "Role to take after logging in; empty: the login's own");
  add("--connections", config.connections, "GOD33_DATABASE_CONNECTIONS",
      "Database connections, and so queries at a time")
      ->check(CLI::Range(1, 1000));
  add("--query-timeout-ms", config.query_timeout_ms, "GOD33_QUERY_TIMEOUT_MS",
      "A query that takes longer is given up (QUERY_TOO_SLOW)")
      ->check(CLI::Range(10, 600'000));
  add("--cache-mib", config.cache_mib, "GOD33_CACHE_MIB",
      "Memory for answers about single events, workflows and sessions, in MiB; 0: no cache")
      ->check(CLI::Range(0, 65'536));
  add("--reflection", config.reflection, "GOD33_REFLECTION", "Serve gRPC reflection");
  AddStreamOptions(add, config);
  rpc::ParseOrExit(app, argc, argv);
  return config;
}

}  // namespace god33::api
