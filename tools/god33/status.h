#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/god33/health.h"
#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

// Adds `status`. If it is on the command line it becomes `chosen`.
void AddStatusCommand(CLI::App& root, Command& chosen);

// What `status` tells.
struct Overview {
  struct Entry {
    Service service;
    Health health;
  };
  std::vector<Entry> services;

  // The broker: serving, refused (user or password), unreachable, or not_configured (no
  // RABBITMQ_URL), which is no fault: asking needs no broker.
  Entry broker;

  std::optional<std::int64_t> position;  // newest of the log; absent if it can't be asked
};

// The names of what is not serving.
std::vector<std::string> Failing(const Overview& overview);

// What those that serve do without: "event-store-manager's outbox".
std::vector<std::string> Missing(const Overview& overview);

// The status is ok, degraded (all serve, something is missing) or unavailable.
// {"status":"ok","services":{"event-store-api":{"address":...,"status":...,"detail":...,
// "components":{...}}},"broker":{"address","status","detail"},"position":...}
std::string ToJson(const Overview& overview);
std::string ToTable(const Overview& overview, const Screen& screen);

}  // namespace god33::cli
