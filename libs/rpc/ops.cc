#include "rpc/ops.h"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <utility>

namespace god33::rpc {
namespace {

http::Response Answer(const http::Request& request, const Health& health,
                      const prometheus::Registry& registry) {
  if (request.method != "GET" && request.method != "HEAD") {
    return {.status = 405, .headers = {{"Allow", "GET, HEAD"}}};
  }
  if (request.path == "/metrics") {
    return {.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
            .body = prometheus::TextSerializer().Serialize(registry.Collect())};
  }
  const http::Headers json = {{"Content-Type", "application/json"}};
  if (request.path == "/healthz") {
    return {.status = health.serving() ? 200 : 503, .headers = json, .body = health.ToJson()};
  }
  if (request.path == "/livez") return {.headers = json, .body = "{\"status\":\"ok\"}"};
  return {.status = 404};
}

}  // namespace

absl::StatusOr<std::unique_ptr<OpsServer>> OpsServer::Start(const std::string& listen,
                                                            const Health& health,
                                                            const prometheus::Registry& registry) {
  auto server = http::Server::Start(
      {.listen = listen}, [&health, &registry](const http::Request& request,
                                               std::unique_ptr<http::Responder> responder) {
        responder->Send(Answer(request, health, registry));
      });
  if (!server.ok()) return server.status();
  return std::unique_ptr<OpsServer>(new OpsServer(*std::move(server)));
}

}  // namespace god33::rpc
