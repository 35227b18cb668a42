#include "services/gateway/frontend.h"

#include <utility>

#include "services/gateway/answer.h"
#include "services/gateway/call_metadata.h"
#include "telemetry/log.h"

namespace god33::gateway {
namespace {

constexpr char kHealthz[] = "/healthz";
constexpr char kLivez[] = "/livez";
constexpr char kAllow[] = "GET, HEAD";

}  // namespace

void Frontend::Handle(http::Request request, std::unique_ptr<http::Responder> responder) const {
  std::string id = RequestId(request.headers, ids_);
  const auto exchange =
      std::make_shared<Exchange>(std::move(request), std::move(responder), std::move(id), metrics_);
  const std::string& path = exchange->request().path;
  if (path == kLivePath) return live_.Handle(exchange);
  if (path != kHealthz && path != kLivez) return api_.Handle(exchange);
  exchange->set_route(path);
  const std::string& verb = exchange->request().method;
  if (verb != "GET" && verb != "HEAD") return exchange->Send(NotAllowed(path, kAllow));
  if (path == kLivez) return exchange->Send(JsonAnswer(200, R"({"status":"ok"})"));
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
