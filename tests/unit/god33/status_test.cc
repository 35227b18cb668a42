#include "tools/god33/status.h"

#include <catch2/catch.hpp>

namespace god33::cli {
namespace {

Overview MakeOverview() {
  return {
      .services = {{.service = {"event-store-api", "127.0.0.1:1"},
                    .health = {.status = "serving", .components = {{"postgresql", "serving"}}}}},
      .broker = {.service = {"rabbitmq", "127.0.0.1:2"}, .health = {.status = "serving"}},
      .position = 7};
}

TEST_CASE("all serving is ok") {
  const Overview overview = MakeOverview();
  CHECK(Failing(overview).empty());
  CHECK(
      ToJson(overview) ==
      R"({"status":"ok","services":{"event-store-api":{"address":"127.0.0.1:1","status":"serving",)"
      R"("detail":null,"components":{"postgresql":"serving"}}},)"
      R"("broker":{"address":"127.0.0.1:2","status":"serving","detail":null},"position":7})");
  CHECK(ToTable(overview, {}) ==
        "NAME             STATUS   ADDRESS      DETAIL\n"
        "event-store-api  serving  127.0.0.1:1  postgresql: serving\n"
        "rabbitmq         serving  127.0.0.1:2\n"
        "\n"
        "The log's newest position: 7\n");
}

TEST_CASE("what does not serve is named") {
  Overview overview = MakeOverview();
  overview.services[0].health = {.status = "unreachable", .detail = "Connection refused"};
  overview.broker.health.status = "refused";
  overview.position.reset();
  CHECK(Failing(overview) == std::vector<std::string>{"event-store-api", "rabbitmq"});
  CHECK(ToJson(overview).find(R"({"status":"unavailable",)") == 0);
  CHECK(ToJson(overview).find(R"("position":null)") != std::string::npos);
  CHECK(ToTable(overview, {}).find("position: unknown") != std::string::npos);
}

TEST_CASE("what a serving service does without is named, and the whole is degraded") {
  Overview overview = MakeOverview();
  overview.services[0].health.components["outbox"] = "not_serving";
  CHECK(Failing(overview).empty());
  CHECK(Missing(overview) == std::vector<std::string>{"event-store-api's outbox"});
  CHECK(ToJson(overview).find(R"({"status":"degraded",)") == 0);
  // Of one that does not serve it goes without saying.
  overview.services[0].health.status = "not_serving";
  CHECK(Missing(overview).empty());
}

TEST_CASE("a broker that nobody configured is no fault") {
  Overview overview = MakeOverview();
  overview.broker = {.service = {"rabbitmq", ""}, .health = {.status = "not_configured"}};
  CHECK(Failing(overview).empty());
}

}  // namespace
}  // namespace god33::cli
