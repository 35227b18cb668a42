#include "services/gateway/live.h"

#include <string>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "http/web_socket.h"
#include "services/gateway/answer.h"
#include "services/gateway/live_client.h"
#include "services/gateway/live_request.h"
#include "services/gateway/live_session.h"
#include "services/gateway/services.h"

namespace god33::gateway {
namespace {

constexpr char kRetryAfterSeconds[] = "5";

void RefuseUpgrade(Exchange& exchange, const http::BadUpgrade& bad) {
  http::Response response =
      ProblemAnswer({.status = bad.status,
                     .detail = bad.detail,
                     .reason = bad.status == 426 ? "UPGRADE_REQUIRED" : "BAD_HANDSHAKE",
                     .instance = exchange.request().path});
  response.headers.emplace_back("Upgrade", "websocket");
  response.headers.emplace_back("Sec-WebSocket-Version", "13");
  exchange.Send(std::move(response));
}

void RefuseBusy(Exchange& exchange) {
  http::Response response =
      ProblemAnswer({.status = 503,
                     .detail = "as many clients follow events as this gateway serves",
                     .reason = "TOO_MANY_CONNECTIONS",
                     .instance = exchange.request().path});
  response.headers.emplace_back("Retry-After", kRetryAfterSeconds);
  exchange.Send(std::move(response));
}

}  // namespace

void Live::Handle(std::shared_ptr<Exchange> exchange) {
  exchange->set_route(kLivePath);
  const http::Request& request = exchange->request();
  if (request.method != "GET") return exchange->Send(NotAllowed(request.path, "GET"));
  const bool socket = http::WantsWebSocket(request);
  if (const auto bad = http::CheckUpgrade(request); socket && bad) {
    return RefuseUpgrade(*exchange, *bad);
  }
  if (!socket && !http::Find(request.headers, "Sec-WebSocket-Key").empty()) {
    // A proxy between has dropped it; an event stream is not what this client could read.
    return RefuseUpgrade(*exchange, {.status = 426, .detail = "expected Upgrade: websocket"});
  }
  const auto query = ReadLiveQuery(request, /*resume=*/!socket);
  if (!query.ok()) return exchange->Fail(query.status());
  const std::string service = StreamMethod().service;
  if (!upstreams_.IsConfigured(service)) {
    return exchange->Fail(MakeError(absl::StatusCode::kUnavailable, "SERVICE_NOT_CONFIGURED",
                                    StrCat(service, " is not part of this installation")));
  }
  std::shared_ptr<void> slot = TakeSlot();
  if (slot == nullptr) return RefuseBusy(*exchange);
  auto client = socket ? MakeWebSocketClient(metrics_) : MakeSseClient(metrics_);
  std::make_shared<LiveSession>(
      std::move(exchange), std::move(client), upstreams_,
      LiveSession::Options{
          .patience = options_.patience, .can_subscribe = socket, .slot = std::move(slot)})
      ->Start(*query);
}

std::shared_ptr<void> Live::TakeSlot() {
  absl::MutexLock lock(&mutex_);
  if (connections_ >= options_.max_connections) return nullptr;
  ++connections_;
  return {this, [](Live* live) {
            absl::MutexLock release(&live->mutex_);
            --live->connections_;
          }};
}

void Live::AwaitIdle() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &Live::idle));
}

}  // namespace god33::gateway
