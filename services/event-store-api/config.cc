#include "services/event-store-api/config.h"

#include <CLI/CLI.hpp>

namespace god33::api {

Reader::Options Config::ReaderOptions() const {
  return {.database = {.url = database_url,
                       .application_name = "event-store-api",
                       .role = database_role},
          .connections = connections,
          .query_timeout = absl::Milliseconds(query_timeout_ms)};
}

Config ParseConfig(int argc, char** argv) {
  Config config;
  CLI::App app{"event-store-api: answers queries over the events that Bloodbank carried."};
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
  add("--reflection", config.reflection, "GOD33_REFLECTION", "Serve gRPC reflection");
  rpc::ParseOrExit(app, argc, argv);
  return config;
}

}  // namespace god33::api
