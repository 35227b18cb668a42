#include "services/gateway/frontend.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "god33/store/v1/event_store.pb.h"
#include "json/value.h"
#include "rpc/status.h"
#include "services/gateway/services.h"
#include "unit/gateway/fakes.h"

namespace god33::gateway {
namespace {

using store::v1::AppendEventRequest;
using store::v1::AppendEventResponse;
using store::v1::GetEventRequest;
using store::v1::GetEventResponse;

// A gateway with fake services behind it.
class Gateway {
 public:
  explicit Gateway(const std::set<std::string>& configured = {"event-store-api",
                                                              "event-store-manager"})
      : upstreams(configured),
        api_(*Api::Create(Services(), upstreams, absl::Seconds(30))),
        frontend_(*api_, live_, health_, cors_, R"({"openapi":"3.1.0"})", ids_, metrics_) {}

  Outcome& Send(http::Request request) {
    Outcome& outcome = outcomes_.emplace_back();
    frontend_.Handle(std::move(request), std::make_unique<FakeResponder>(outcome));
    return outcome;
  }

  Outcome& Get(std::string path, std::string query = "") {
    return Send({.method = "GET", .path = std::move(path), .query = std::move(query)});
  }

  // The value of god33_http_requests_total for these labels.
  double Counted(const std::string& verb, const std::string& route, int status) {
    for (const auto& family : registry_.Collect()) {
      if (family.name != "god33_http_requests_total") continue;
      for (const auto& metric : family.metric) {
        std::map<std::string, std::string> labels;
        for (const auto& label : metric.label) labels[label.name] = label.value;
        if (labels == std::map<std::string, std::string>{
                          {"method", verb}, {"route", route}, {"status", std::to_string(status)}}) {
          return metric.counter.value;
        }
      }
    }
    return 0;
  }

  http::Response Refuse(int status) { return frontend_.Refuse(status, "detail"); }

  FakeUpstreams upstreams;

 private:
  CountingIds ids_;
  const Cors cors_ = *Cors::Parse("https://a.example");
  prometheus::Registry registry_;
  Metrics metrics_{registry_};
  LiveMetrics live_metrics_{registry_};
  Live live_{upstreams, live_metrics_, {}};
  HealthCheck health_{ServedBy(Services()), MinorServices(), upstreams};
  std::unique_ptr<Api> api_;
  Frontend frontend_;
  std::deque<Outcome> outcomes_;
};

std::string Member(const Outcome& outcome, std::string_view key) {
  const auto json = json::Value::Parse(outcome.response.body);
  REQUIRE(json.ok());
  const auto value = json->Find(key);
  return value ? std::string(value->text()) : "none";
}

std::string Header(const Outcome& outcome, std::string_view name) {
  return std::string(http::Find(outcome.response.headers, name));
}

TEST_CASE("a GET becomes a call and its answer JSON") {
  Gateway gateway;
  Outcome& outcome = gateway.Get("/api/v1/events/e1", "min_position=5");
  CHECK(outcome.response.status == 0);
  REQUIRE(gateway.upstreams.calls.size() == 1);
  auto& [call, done, cancelled] = gateway.upstreams.calls[0];
  CHECK(call.service == "event-store-api");
  CHECK(call.method == "/god33.store.v1.EventStoreService/GetEvent");
  CHECK(call.timeout == absl::Seconds(30));
  CHECK(call.metadata == auth::Metadata{{"x-god33-subject", "anonymous"},
                                        {"x-god33-projects", "*"},
                                        {"x-request-id", kFirstId}});
  const auto& request = dynamic_cast<const GetEventRequest&>(*call.request);
  CHECK(request.event_id() == "e1");
  CHECK(request.min_position() == 5);

  dynamic_cast<GetEventResponse&>(*call.response).mutable_event()->set_event_id("e1");
  std::move(done)(grpc::Status::OK);
  CHECK(outcome.response.status == 200);
  CHECK(Header(outcome, "Content-Type") == "application/json; charset=utf-8");
  CHECK(Header(outcome, "X-Request-Id") == kFirstId);
  CHECK(Member(outcome, "event_id") == "\"e1\"");
  CHECK(gateway.Counted("GET", "/api/v1/events/{event_id}", 200) == 1);
}

TEST_CASE("a POST becomes a call of the service that serves it, with the annotated status") {
  Gateway gateway;
  Outcome& outcome = gateway.Send({.method = "POST",
                                   .path = "/api/v1/events",
                                   .headers = {{"content-type", "application/JSON; charset=utf-8"}},
                                   .body = R"({"event_type":"a.b","payload":{"n":1.10}})"});
  auto& [call, done, cancelled] = gateway.upstreams.calls.at(0);
  CHECK(call.service == "event-store-manager");
  const auto& request = dynamic_cast<const AppendEventRequest&>(*call.request);
  CHECK(request.event().payload().text() == R"({"n":1.10})");
  dynamic_cast<AppendEventResponse&>(*call.response).set_position(7);
  std::move(done)(grpc::Status::OK);
  CHECK(outcome.response.status == 201);
  CHECK(Member(outcome, "position") == "7");
}

TEST_CASE("a body of another type than JSON is refused") {
  for (const std::string type : {"text/plain", "application/x-www-form-urlencoded",
                                 "application/jsonx", "application/xml", ";"}) {
    Gateway gateway;
    const Outcome& outcome = gateway.Send({.method = "POST",
                                           .path = "/api/v1/events",
                                           .headers = {{"Content-Type", type}},
                                           .body = "{}"});
    CHECK(outcome.response.status == 415);
    CHECK(Member(outcome, "reason") == "\"UNSUPPORTED_MEDIA_TYPE\"");
    CHECK(gateway.upstreams.calls.empty());
  }
}

TEST_CASE("a body without a type is taken for JSON") {
  Gateway gateway;
  gateway.Send({.method = "POST", .path = "/api/v1/events", .body = "{}"});
  CHECK(gateway.upstreams.calls.size() == 1);
}

TEST_CASE("a request that can't be read is a problem and no call") {
  Gateway gateway;
  for (const auto& [query, field] :
       {std::pair("limit=x", "limit"), {"limit=%", "limit"}, {"no=1", "no"}}) {
    const Outcome& outcome = gateway.Get("/api/v1/events", query);
    CHECK(outcome.response.status == 400);
    CHECK(Header(outcome, "Content-Type") == "application/problem+json");
    CHECK(Member(outcome, "reason") == "\"INVALID_ARGUMENT\"");
    CHECK(Member(outcome, "field") == StrCat("\"", field, "\""));
    CHECK(Member(outcome, "instance") == "\"/api/v1/events\"");
  }
  CHECK(gateway.Get("/api/v1/events/%zz").response.status == 400);
  CHECK(gateway.upstreams.calls.empty());
}

TEST_CASE("an unknown path is 404, a known one with another verb 405") {
  Gateway gateway;
  CHECK(gateway.Get("/nothing").response.status == 404);
  const Outcome& outcome = gateway.Send({.method = "DELETE", .path = "/api/v1/events"});
  CHECK(outcome.response.status == 405);
  CHECK(Header(outcome, "Allow") == "GET, HEAD, POST");
  CHECK(Member(outcome, "reason") == "\"METHOD_NOT_ALLOWED\"");
}

TEST_CASE("made-up verbs and paths are no labels") {
  Gateway gateway;
  gateway.Send({.method = "BREW", .path = "/coffee"});
  CHECK(gateway.Counted("other", "unmatched", 404) == 1);
}

TEST_CASE("the routes of a service without an address are 503") {
  Gateway gateway({"event-store-manager"});
  const Outcome& outcome = gateway.Get("/api/v1/events");
  CHECK(outcome.response.status == 503);
  CHECK(Member(outcome, "reason") == "\"SERVICE_NOT_CONFIGURED\"");
}

TEST_CASE("a service's error is the client's, but for what is internal") {
  Gateway gateway;
  Outcome& missing = gateway.Get("/api/v1/events/a");
  std::move(gateway.upstreams.calls[0].done)(
      rpc::ToGrpc(MakeError(absl::StatusCode::kNotFound, "EVENT_NOT_FOUND", "no event a")));
  CHECK(missing.response.status == 404);
  CHECK(Member(missing, "reason") == "\"EVENT_NOT_FOUND\"");
  CHECK(Member(missing, "detail") == "\"no event a\"");

  Outcome& broken = gateway.Get("/api/v1/events/b");
  std::move(gateway.upstreams.calls[1].done)(grpc::Status(grpc::StatusCode::UNKNOWN, "hunter2"));
  CHECK(broken.response.status == 500);
  CHECK(broken.response.body.find("hunter2") == std::string::npos);
  CHECK(broken.response.body.find(Header(broken, "X-Request-Id")) != std::string::npos);
}

TEST_CASE("a client that goes away cancels its call") {
  Gateway gateway;
  Outcome& outcome = gateway.Get("/api/v1/events");
  CHECK_FALSE(gateway.upstreams.calls[0].cancelled);
  std::move(outcome.on_gone)();
  CHECK(gateway.upstreams.calls[0].cancelled);
  std::move(gateway.upstreams.calls[0].done)(grpc::Status::CANCELLED);
  CHECK(outcome.response.status == 499);
}

TEST_CASE("a call that a stopping service cancels is 503 to a client that still waits") {
  Gateway gateway;
  Outcome& outcome = gateway.Get("/api/v1/events");
  std::move(gateway.upstreams.calls[0].done)(grpc::Status::CANCELLED);
  CHECK(outcome.response.status == 503);
  CHECK(Member(outcome, "reason") == "\"SERVICE_UNAVAILABLE\"");
}

TEST_CASE("livez answers always, healthz what the services say") {
  Gateway gateway;
  CHECK(gateway.Get("/livez").response.status == 200);
  CHECK(gateway.Send({.method = "POST", .path = "/livez"}).response.status == 405);
  Outcome& outcome = gateway.Get("/healthz");
  CHECK(outcome.response.status == 0);
  for (auto& started : gateway.upstreams.calls) {
    std::move(started.done)(grpc::Status(grpc::StatusCode::UNAVAILABLE, ""));
  }
  CHECK(outcome.response.status == 503);
  CHECK(Member(outcome, "status") == "\"unavailable\"");
  CHECK(gateway.Counted("GET", "/healthz", 503) == 1);
}

TEST_CASE("refusals of the HTTP server are counted") {
  Gateway gateway;
  CHECK(http::Find(gateway.Refuse(431).headers, "X-Request-Id") == kFirstId);
  CHECK(gateway.Counted("other", "unmatched", 431) == 1);
}

TEST_CASE("a page of an allowed origin may call, and see the answer") {
  Gateway gateway;
  const Outcome& asked = gateway.Send(
      {.method = "OPTIONS",
       .path = "/api/v1/events",
       .headers = {{"Origin", "https://a.example"}, {"Access-Control-Request-Method", "POST"}}});
  CHECK(asked.response.status == 204);
  CHECK(Header(asked, "Access-Control-Allow-Origin") == "https://a.example");
  CHECK(Header(asked, "Access-Control-Allow-Methods") == "GET, HEAD, POST");
  const Outcome& live = gateway.Send(
      {.method = "GET", .path = "/livez", .headers = {{"Origin", "https://a.example"}}});
  CHECK(Header(live, "Access-Control-Allow-Origin") == "https://a.example");
}

TEST_CASE("a page of another origin is told nothing") {
  Gateway gateway;
  const Outcome& asked = gateway.Send(
      {.method = "OPTIONS",
       .path = "/livez",
       .headers = {{"Origin", "https://b.example"}, {"Access-Control-Request-Method", "GET"}}});
  CHECK(asked.response.status == 204);
  CHECK(Header(asked, "Access-Control-Allow-Methods").empty());
  CHECK(Header(asked, "Access-Control-Allow-Origin").empty());
  CHECK(Header(asked, "Vary") == "Origin");
}

TEST_CASE("a single event is tagged, and not sent again to who has it") {
  Gateway gateway;
  const auto get = [&](const std::string& tag) -> Outcome& {
    Outcome& outcome = gateway.Send(
        {.method = "GET", .path = "/api/v1/events/e1", .headers = {{"If-None-Match", tag}}});
    auto& call = gateway.upstreams.calls.back();
    dynamic_cast<GetEventResponse&>(*call.call.response).mutable_event()->set_event_id("e1");
    std::move(call.done)(grpc::Status::OK);
    return outcome;
  };
  const std::string tag = Header(get(""), "ETag");
  REQUIRE(tag.size() > 4);
  const Outcome& again = get(StrCat("\"x\", ", tag));
  CHECK(again.response.status == 304);
  CHECK(again.response.body.empty());
  CHECK(Header(again, "ETag") == tag);
  CHECK(get("W/\"other\"").response.status == 200);
  CHECK(gateway.Counted("GET", "/api/v1/events/{event_id}", 304) == 1);
}

TEST_CASE("errors are not tagged") {
  Gateway gateway;
  const Outcome& outcome = gateway.Get("/api/v1/events/e1");
  std::move(gateway.upstreams.calls[0].done)(rpc::ToGrpc(absl::NotFoundError("no")));
  CHECK(outcome.response.status == 404);
  CHECK(Header(outcome, "ETag").empty());
}

TEST_CASE("the description of the API is there") {
  Gateway gateway;
  CHECK(gateway.Get("/openapi.json").response.body == R"({"openapi":"3.1.0"})");
  CHECK(gateway.Send({.method = "POST", .path = "/openapi.json"}).response.status == 405);
}

}  // namespace
}  // namespace god33::gateway
