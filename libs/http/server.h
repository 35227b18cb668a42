#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace god33::http {

// Names are matched without regard to case.
using Headers = std::vector<std::pair<std::string, std::string>>;

// The value of the first header with this name, or empty.
std::string_view Find(const Headers& headers, std::string_view name);

struct Request {
  std::string method;  // upper case
  std::string path;    // as sent: percent-encoded, without the query
  std::string query;   // as sent: behind the first '?', without it
  Headers headers;
  std::string body;
  std::string peer;  // "address:port"
};

struct Response {
  int status = 200;
  Headers headers;  // without Content-Length, Connection and Date, which the server sets
  std::string body;
};

// Ends a request; to be called exactly once, from any thread. Dropped without a call, the client gets
// 500.
using Responder = absl::AnyInvocable<void(Response) &&>;

// Called on a server thread, which it must not block: what takes time answers later through the
// responder.
using Handler = std::function<void(Request, Responder)>;

struct Options {
  std::string listen = "127.0.0.1:0";             // host:port; port 0: any free one
  std::size_t threads = 1;
  std::size_t max_header_bytes = 16 << 10;        // more: 431
  std::size_t max_body_bytes = 17 << 20;          // more: 413, without reading it
  std::size_t max_connections = 10'000;           // more: closed at once
  absl::Duration header_timeout = absl::Seconds(10);  // from the connection's or the keep-alive's first byte
  absl::Duration body_timeout = absl::Seconds(30);    // more: 408
  absl::Duration idle_timeout = absl::Seconds(75);    // between requests; then closed
  absl::Duration write_timeout = absl::Seconds(30);   // a client that reads no answer; then closed
};

// An HTTP/1.1 server with keep-alive and pipelining (answers in the order of the requests). Bad syntax
// is answered with 400 and closed. Thread-safe.
class Server {
 public:
  // Binds and starts serving. Unavailable when the address is taken.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Options options, Handler handler);

  // Like Stop(absl::ZeroDuration()).
  ~Server();

  // The address bound to, with the real port: "127.0.0.1:8080".
  std::string address() const;

  // Closes the listener and idle connections, lets requests under way finish for at most `drain`, then
  // closes the rest. Idempotent.
  void Stop(absl::Duration drain);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace god33::http
