#include "services/gateway/frontend.h"

#include <utility>

#include "services/gateway/answer.h"
#include "services/gateway/call_metadata.h"
#include "telemetry/log.h"

namespace god33::gateway {
namespace {

constexpr std::string_view kHealthz = "/healthz";
constexpr std::string_view kLivez = "/livez";
constexpr std::string_view kOpenApi = "/openapi.json";
constexpr char kAllow[] = "GET, HEAD";

bool IsOwn(const std::string& path) {
  return path == kHealthz || path == kLivez || path == kOpenApi;
}

}  // namespace

void Frontend::Handle(http::Request request, std::unique_ptr<http::Responder> responder) const {
  std::string id = RequestId(request.headers, ids_);
  const auto exchange = std::make_shared<Exchange>(std::move(request), std::move(responder),
                                                   std::move(id), cors_, metrics_);
  const std::string& path = exchange->request().path;
  if (Cors::IsPreflight(exchange->request())) {
    exchange->set_route("preflight");
    return exchange->Send(cors_.Preflight(exchange->request(), AllowedOn(path)));
  }
  if (path == kLivePath) return live_.Handle(exchange);
  if (IsOwn(path)) return HandleOwn(exchange);
  api_.Handle(exchange);
}

std::string Frontend::AllowedOn(const std::string& path) const {
  if (path == kLivePath) return "GET";
  return IsOwn(path) ? kAllow : api_.AllowedOn(path);
}

void Frontend::HandleOwn(std::shared_ptr<Exchange> exchange) const {
  const std::string& path = exchange->request().path;
  exchange->set_route(path);
  const std::string& verb = exchange->request().method;
  if (verb != "GET" && verb != "HEAD") return exchange->Send(NotAllowed(path, kAllow));
  if (path == kLivez) return exchange->Send(JsonAnswer(200, R"({"status":"ok"})"));
  if (path == kOpenApi) {
    exchange->set_tagged();
    return exchange->Send(JsonAnswer(200, openapi_));
  }
  health_.Run([exchange](HealthCheck::Report report) {
    exchange->Send(JsonAnswer(report.serving ? 200 : 503, std::move(report.json)));
  });
}

http::Response Frontend::Refuse(int status, std::string_view detail) const {
  const std::string id = ids_.New().ToString();
  metrics_.Count("", "unmatched", status, absl::ZeroDuration());
  Log(status >= 500 ? LogLevel::kWarning : LogLevel::kDebug, "request refused",
      {{"request_id", id}, {"status", status}, {"error", detail}});
  return RefusalAnswer(status, detail, id);
}

}  // namespace god33::gateway
