#include "services/gateway/exchange.h"

#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "services/gateway/answer.h"
#include "services/gateway/representation.h"
#include "telemetry/log.h"

namespace god33::gateway {

Exchange::Exchange(http::Request request, std::unique_ptr<http::Responder> responder,
                   std::string id, const Cors& cors, Metrics& metrics)
    : request_(std::move(request)),
      responder_(std::move(responder)),
      id_(std::move(id)),
      cors_(cors),
      metrics_(metrics),
      began_nanos_(MonotonicNanos()) {}

void Exchange::Send(http::Response response) {
  Finish(std::move(response), "");
}

void Exchange::Fail(const transcode::Problem& problem) {
  Finish(ProblemAnswer(problem), problem.detail);
}

void Exchange::Fail(const absl::Status& status, const std::string& cause) {
  Finish(ProblemAnswer(transcode::ToProblem(status, request_.path, id_)),
         cause.empty() ? std::string(MessageOf(status)) : cause);
}

std::unique_ptr<http::BodyStream> Exchange::Stream(http::Response head,
                                                   absl::AnyInvocable<void() &&> gone) {
  Note(head.status, 0, "");
  cors_.Allow(request_, head);
  head.headers.emplace_back("X-Request-Id", id_);
  return responder_->Stream(std::move(head), std::move(gone));
}

std::unique_ptr<http::WebSocket> Exchange::Upgrade(http::WebSocketEvents events) {
  Note(101, 0, "");
  return responder_->Upgrade({{"X-Request-Id", id_}}, std::move(events));
}

void Exchange::Finish(http::Response response, const std::string& error) {
  if (tagged_) Tag(request_, response);
  Compress(request_, response);
  cors_.Allow(request_, response);
  Note(response.status, response.body.size(), error);
  response.headers.emplace_back("X-Request-Id", id_);
  responder_->Send(std::move(response));
}

void Exchange::Note(int status, std::size_t bytes, const std::string& error) {
  const absl::Duration took = absl::Nanoseconds(MonotonicNanos() - began_nanos_);
  metrics_.Count(request_.method, route_, status, took);
  const LogLevel level = status >= 500 ? LogLevel::kWarning : LogLevel::kDebug;
  Log(level, "request",
      {{"request_id", id_},
       {"method", request_.method},
       {"path", request_.path},
       {"route", route_},
       {"status", status},
       {"seconds", absl::ToDoubleSeconds(took)},
       {"bytes", bytes},
       {"peer", request_.peer},
       {"error", error}});
}

}  // namespace god33::gateway
