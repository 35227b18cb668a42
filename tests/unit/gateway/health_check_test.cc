#include "services/gateway/health_check.h"

#include <catch2/catch.hpp>

#include "grpc/health/v1/health.pb.h"
#include "unit/gateway/fakes.h"

namespace god33::gateway {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr char kApi[] = "event-store-api";
constexpr char kManager[] = "event-store-manager";
constexpr char kBridge[] = "letta-bridge";  // the minor one

// What a service answers about each of its parts: a status, or an error.
struct Answers {
  std::map<std::string, HealthCheckResponse::ServingStatus> statuses;
  grpc::Status otherwise = grpc::Status(grpc::StatusCode::NOT_FOUND, "");
};

HealthCheck::Report Check(const std::map<std::string, Answers>& services) {
  std::set<std::string> configured;
  for (const auto& [name, answers] : services) configured.insert(name);
  FakeUpstreams upstreams(configured);
  const HealthCheck check({kApi, kManager, kBridge}, {kBridge}, upstreams);
  HealthCheck::Report report;
  check.Run([&report](HealthCheck::Report result) { report = std::move(result); });
  for (auto& [call, done, cancelled] : upstreams.calls) {
    CHECK(call.method == "/grpc.health.v1.Health/Check");
    CHECK(call.timeout == absl::Seconds(2));
    const Answers& answers = services.at(call.service);
    const auto& request = dynamic_cast<const HealthCheckRequest&>(*call.request);
    const auto status = answers.statuses.find(request.service());
    if (status == answers.statuses.end()) {
      std::move(done)(answers.otherwise);
    } else {
      dynamic_cast<HealthCheckResponse&>(*call.response).set_status(status->second);
      std::move(done)(grpc::Status::OK);
    }
  }
  return report;
}

const Answers kServing = {
    .statuses = {{"", HealthCheckResponse::SERVING}, {"postgresql", HealthCheckResponse::SERVING}}};

TEST_CASE("all is well when all services serve") {
  const auto report = Check({{kApi, kServing}, {kManager, kServing}});
  CHECK(report.serving);
  CHECK(report.json ==
        R"({"status":"ok","services":{)"
        R"("event-store-api":{"status":"serving","components":{"postgresql":"serving"}},)"
        R"("event-store-manager":{"status":"serving","components":{"postgresql":"serving"}}}})");
}

TEST_CASE("a component that does not serve is named") {
  const Answers broken = {.statuses = {{"", HealthCheckResponse::NOT_SERVING},
                                       {"postgresql", HealthCheckResponse::SERVING},
                                       {"rabbitmq", HealthCheckResponse::NOT_SERVING}}};
  const auto report = Check({{kApi, kServing}, {kManager, broken}});
  CHECK_FALSE(report.serving);
  CHECK(report.json ==
        R"({"status":"unavailable","services":{)"
        R"("event-store-api":{"status":"serving","components":{"postgresql":"serving"}},)"
        R"("event-store-manager":{"status":"not_serving",)"
        R"("components":{"postgresql":"serving","rabbitmq":"not_serving"}}}})");
}

TEST_CASE("a service that serves without some component is degraded") {
  const Answers degraded = {.statuses = {{"", HealthCheckResponse::SERVING},
                                         {"outbox", HealthCheckResponse::NOT_SERVING}}};
  const auto report = Check({{kApi, kServing}, {kManager, degraded}});
  CHECK(report.serving);
  CHECK(report.json ==
        R"({"status":"degraded","services":{)"
        R"("event-store-api":{"status":"serving","components":{"postgresql":"serving"}},)"
        R"("event-store-manager":{"status":"serving","components":{"outbox":"not_serving"}}}})");
}

TEST_CASE("a service that can't be reached, or has no address, is unavailable") {
  const Answers away = {.otherwise = grpc::Status(grpc::StatusCode::UNAVAILABLE, "")};
  const auto report = Check({{kManager, away}});
  CHECK_FALSE(report.serving);
  CHECK(report.json ==
        R"({"status":"unavailable","services":{)"
        R"("event-store-api":{"status":"not_configured","components":{}},)"
        R"("event-store-manager":{"status":"unreachable",)"
        R"("components":{"letta":"unreachable","outbox":"unreachable","postgresql":"unreachable",)"
        R"("rabbitmq":"unreachable"}}}})");
}

TEST_CASE("without a minor service the rest serves, degraded if it should be there") {
  CHECK(Check({{kApi, kServing}, {kManager, kServing}}).json.find(kBridge) == std::string::npos);
  const Answers away = {.otherwise = grpc::Status(grpc::StatusCode::UNAVAILABLE, "")};
  const auto report = Check({{kApi, kServing}, {kManager, kServing}, {kBridge, away}});
  CHECK(report.serving);
  CHECK(report.json.find(R"({"status":"degraded")") == 0);
  CHECK(report.json.find(R"("letta-bridge":{"status":"unreachable")") != std::string::npos);
}

TEST_CASE("a server that knows no health checking does not say that it serves") {
  const Answers mute = {.otherwise = grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "")};
  CHECK_FALSE(Check({{kApi, kServing}, {kManager, mute}}).serving);
  CHECK_FALSE(Check({{kApi, kServing}, {kManager, Answers{}}}).serving);
}

TEST_CASE("without any address the report comes at once") {
  CHECK_FALSE(Check({}).serving);
}

}  // namespace
}  // namespace god33::gateway
