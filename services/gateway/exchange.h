#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "http/server.h"
#include "services/gateway/cors.h"
#include "services/gateway/metrics.h"
#include "transcode/problem.h"

namespace god33::gateway {

// One HTTP request on its way through the gateway, up to its answer, which is given the headers and the
// form that the client understands, counted and logged (at debug; from 500 on as a warning, with what the
// client is not told).
class Exchange {
 public:
  Exchange(http::Request request, std::unique_ptr<http::Responder> responder, std::string id,
           const Cors& cors, Metrics& metrics);

  const http::Request& request() const { return request_; }
  const std::string& id() const { return id_; }

  // The path template that the request matched; for metrics and the log.
  void set_route(std::string route) { route_ = std::move(route); }

  // The answer gets an ETag: the client may ask whether what it has is still true.
  void set_tagged() { tagged_ = true; }

  // Runs if the client goes away before the answer; see http::Responder.
  void OnGone(absl::AnyInvocable<void() &&> callback) { responder_->OnGone(std::move(callback)); }

  // Each ends the exchange; one call to one of them. From any thread.
  void Send(http::Response response);
  void Fail(const transcode::Problem& problem);

  // The beginning of an answer that goes on, counted as an answer: as in http::Responder.
  std::unique_ptr<http::BodyStream> Stream(http::Response head, absl::AnyInvocable<void() &&> gone);
  std::unique_ptr<http::WebSocket> Upgrade(http::WebSocketEvents events);

  // `cause` is for the log: what lies behind the error.
  void Fail(const absl::Status& status, const std::string& cause = "");

 private:
  void Finish(http::Response response, const std::string& error);
  void Note(int status, std::size_t bytes, const std::string& error);

  const http::Request request_;
  const std::unique_ptr<http::Responder> responder_;
  const std::string id_;
  const Cors& cors_;
  Metrics& metrics_;
  const std::int64_t began_nanos_;
  std::string route_ = "unmatched";
  bool tagged_ = false;
};

}  // namespace god33::gateway
