#include "tools/god33/status.h"

#include <algorithm>
#include <future>

#include "absl/strings/str_join.h"
#include "base/error.h"
#include "base/strings.h"
#include "json/write.h"
#include "tools/god33/api_client.h"
#include "tools/god33/arguments.h"
#include "tools/god33/broker.h"
#include "tools/god33/environment.h"
#include "tools/god33/watch.h"

namespace god33::cli {
namespace {

constexpr absl::Duration kMostWait = absl::Seconds(5);
constexpr std::string_view kServing = "serving";
constexpr std::string_view kNotConfigured = "not_configured";

struct KnownService {
  const char* name;
  const char* variable;
  const char* otherwise;  // empty: only asked when the variable is set
};

constexpr KnownService kServices[] = {
    {"event-store-manager", "GOD33_EVENT_STORE_MANAGER_ADDR", "127.0.0.1:50051"},
    {"event-store-api", "GOD33_EVENT_STORE_API_ADDR", "127.0.0.1:50052"},
    {"collaboration-coordinator", "GOD33_COLLABORATION_ADDR", ""},
    {"director-service", "GOD33_DIRECTOR_ADDR", ""},
    {"letta-bridge", "GOD33_LETTA_BRIDGE_ADDR", ""},
};

std::vector<Service> ConfiguredServices(const GlobalOptions& options) {
  std::vector<Service> services;
  for (const auto& [name, variable, otherwise] : kServices) {
    const std::string address = std::string_view(name) == "event-store-api"
                                    ? options.api_address
                                    : Variable(variable, otherwise);
    if (!address.empty()) services.push_back({name, address});
  }
  return services;
}

Overview::Entry AskBroker(absl::Duration timeout) {
  Overview::Entry entry{.service = {.name = "rabbitmq"}};
  if (Variable("RABBITMQ_URL").empty()) {
    entry.health = {.status = std::string(kNotConfigured), .detail = "RABBITMQ_URL is not set"};
    return entry;
  }
  const auto config = BrokerFromEnvironment();
  if (config.ok()) entry.service.address = AddressOf(*config);
  const absl::Status status = config.ok() ? TryBroker(*config, timeout) : config.status();
  entry.health.status = status.ok()                        ? kServing
                        : absl::IsPermissionDenied(status) ? "refused"
                                                           : "unreachable";
  entry.health.detail = MessageOf(status);
  return entry;
}

std::optional<std::int64_t> AskPosition(const std::string& address, absl::Duration timeout) {
  ApiClient client(address, timeout);
  store::v1::ListEventsRequest request;
  request.set_limit(1);
  request.set_order("desc");
  const auto answer = client.Call(&ApiClient::Stub::ListEvents, request);
  return answer.ok() ? std::optional(answer->position()) : std::nullopt;
}

Overview Ask(const GlobalOptions& options) {
  const absl::Duration timeout = std::min(options.timeout, kMostWait);
  const std::vector<Service> services = ConfiguredServices(options);
  auto broker = std::async(std::launch::async, AskBroker, timeout);
  const std::vector<Health> health = AskHealth(services, timeout);
  Overview overview{.broker = broker.get()};
  for (std::size_t i = 0; i < services.size(); ++i) {
    overview.services.push_back({services[i], health[i]});
    if (services[i].name == "event-store-api" && health[i].status == kServing) {
      overview.position = AskPosition(services[i].address, timeout);
    }
  }
  return overview;
}

absl::Status ShowStatus(Session& session) {
  const Overview overview = Ask(session.options);
  absl::Status status = PrintJson(session.paper, ToJson(overview),
                                  [&] { return ToTable(overview, session.paper.screen); });
  if (!status.ok()) return status;
  const std::vector<std::string> failing = Failing(overview);
  if (const auto missing = Missing(overview); failing.empty() && !missing.empty()) {
    return WithHint(MakeError(absl::StatusCode::kUnavailable, "DEGRADED",
                              StrCat("not serving: ", absl::StrJoin(missing, ", "))),
                    "the service's /healthz and log say why");
  }
  if (failing.empty()) return absl::OkStatus();
  return WithHint(
      MakeError(absl::StatusCode::kUnavailable, "NOT_SERVING",
                StrCat("not serving: ", absl::StrJoin(failing, ", "))),
      "`./dev up` starts what is missing; GOD33_<NAME>_ADDR and RABBITMQ_URL say where it is");
}

void Write(const Overview::Entry& entry, bool components, json::Writer& writer) {
  const auto text = [&writer](std::string_view key, const std::string& value) {
    writer.Key(key);
    if (value.empty()) {
      writer.Null();
    } else {
      writer.String(value);
    }
  };
  writer.BeginObject();
  text("address", entry.service.address);
  text("status", entry.health.status);
  text("detail", entry.health.detail);
  if (components) {
    writer.Key("components");
    writer.BeginObject();
    for (const auto& [name, status] : entry.health.components) text(name, status);
    writer.EndObject();
  }
  writer.EndObject();
}

Row RowOf(const Overview::Entry& entry) {
  std::vector<std::string> details;
  for (const auto& [name, status] : entry.health.components) {
    details.push_back(StrCat(name, ": ", status));
  }
  if (!entry.health.detail.empty()) details.push_back(entry.health.detail);
  return {entry.service.name, entry.health.status,
          entry.service.address.empty() ? "-" : entry.service.address,
          absl::StrJoin(details, ", ")};
}

}  // namespace

std::vector<std::string> Failing(const Overview& overview) {
  std::vector<std::string> names;
  for (const Overview::Entry& entry : overview.services) {
    if (entry.health.status != kServing) names.push_back(entry.service.name);
  }
  if (overview.broker.health.status != kServing &&
      overview.broker.health.status != kNotConfigured) {
    names.push_back(overview.broker.service.name);
  }
  return names;
}

std::vector<std::string> Missing(const Overview& overview) {
  std::vector<std::string> names;
  for (const auto& [service, health] : overview.services) {
    if (health.status != kServing) continue;
    for (const auto& [component, status] : health.components) {
      if (status != kServing) names.push_back(StrCat(service.name, "'s ", component));
    }
  }
  return names;
}

std::string ToJson(const Overview& overview) {
  std::string json;
  json::Writer writer(json);
  writer.BeginObject();
  writer.Key("status");
  writer.String(!Failing(overview).empty()  ? "unavailable"
                : Missing(overview).empty() ? "ok"
                                            : "degraded");
  writer.Key("services");
  writer.BeginObject();
  for (const Overview::Entry& entry : overview.services) {
    writer.Key(entry.service.name);
    Write(entry, /*components=*/true, writer);
  }
  writer.EndObject();
  writer.Key("broker");
  Write(overview.broker, /*components=*/false, writer);
  writer.Key("position");
  if (overview.position) {
    writer.Int(*overview.position);
  } else {
    writer.Null();
  }
  writer.EndObject();
  return json;
}

std::string ToTable(const Overview& overview, const Screen& screen) {
  std::vector<Row> rows;
  for (const Overview::Entry& entry : overview.services) rows.push_back(RowOf(entry));
  rows.push_back(RowOf(overview.broker));
  Table table({{"NAME"}, {"STATUS"}, {"ADDRESS"}, {"DETAIL"}}, screen);
  return StrCat(table.Render(rows), "\nThe log's newest position: ",
                overview.position ? StrCat(*overview.position) : "unknown", "\n");
}

void AddStatusCommand(CLI::App& root, Command& chosen) {
  CLI::App& status = AddCommand(
      root, "status", "Whether the services, the broker and the log are there",
      "Asks event-store-manager, event-store-api, and each other service whose address is set\n"
      "(GOD33_COLLABORATION_ADDR, GOD33_DIRECTOR_ADDR, GOD33_LETTA_BRIDGE_ADDR); and the broker "
      "of\n"
      "RABBITMQ_URL, if that is set. Exit code 5 if anything is not serving.\n"
      "\n"
      "Examples:\n"
      "  god33 status --watch\n"
      "  god33 status -o json | jq .services");
  const auto watch = AddWatch(status);
  status.callback([watch, &chosen] { chosen = Watched(*watch, ShowStatus); });
}

}  // namespace god33::cli
