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
#include "http/body_stream.h"
#include "http/web_socket.h"

namespace god33::http {

// Names are matched without regard to case.
using Headers = std::vector<std::pair<std::string, std::string>>;

// The value of the first header with this name, or empty.
std::string_view Find(const Headers& headers, std::string_view name);

struct Request {
  std::string method;  // upper case, or whatever token the client made up
  std::string path;    // as sent: percent-encoded, without the query
  std::string query;   // as sent: behind the first '?', without it
  Headers headers;     // without those of a chunked body's trailer
  std::string body;
  std::string peer;     // "address:port"
  bool http10 = false;  // the client speaks HTTP/1.0
};

struct Response {
  int status = 200;
  Headers headers;   // without Content-Length, Connection and Date, which the server sets
  std::string body;  // left out for HEAD, 204 and 304
};

// One request's way back to its client. The server's ones may be used from any thread, also after
// the server is gone; then nothing happens. Dropped without Send, the client gets 500.
class Responder {
 public:
  virtual ~Responder() = default;

  // Ends the request. At most one call to Send, Stream or Upgrade.
  virtual void Send(Response response) = 0;

  // Begins an answer whose body comes piece by piece: chunked; for HTTP/1.0 up to the connection's end;
  // for HEAD there is none, and the client counts as gone. It is the connection's last answer. `gone`
  // runs on a server thread, once, if the client goes away or the server stops before the stream is
  // closed; it must not block.
  virtual std::unique_ptr<BodyStream> Stream(Response head, absl::AnyInvocable<void() &&> gone) = 0;

  // Makes the connection a WebSocket; only for a request that passed WantsWebSocket and CheckUpgrade.
  // `headers` go into the answer beside the needed ones.
  virtual std::unique_ptr<WebSocket> Upgrade(Headers headers, WebSocketEvents events) = 0;

  // `callback` runs on a server thread, once, if the client goes away before Send, also if it has
  // gone already; it must not block. A later call replaces an earlier one's callback. While the server
  // waits for what becomes of a WebSocket's request it does not read, and sees no client go.
  virtual void OnGone(absl::AnyInvocable<void() &&> callback) = 0;
};

// Called on a server thread, which it must not block: what takes time answers later through the
// responder. Must not throw.
using Handler = std::function<void(Request, std::unique_ptr<Responder>)>;

// Words an answer that the server gives by itself: 400, 408, 413, 417, 431 and 500. Called on a
// server thread.
using Refusal = std::function<Response(int status, std::string_view detail)>;

// The detail as text/plain.
Response PlainRefusal(int status, std::string_view detail);

struct Options {
  std::string listen = "127.0.0.1:0";  // host:port, [v6]:port or :port; port 0: any free one
  std::size_t threads = 1;
  std::size_t max_header_bytes = 16 << 10;  // with the request line; more: 431; at most 32,000
  std::size_t max_body_bytes = 17 << 20;    // more: 413, without reading it
  std::size_t max_connections = 10'000;     // more: closed at once

  // absl::InfiniteDuration() is allowed for each.
  absl::Duration header_timeout = absl::Seconds(10);  // from a request's first byte; more: 408
  absl::Duration body_timeout = absl::Seconds(30);    // from the header's end; more: 408
  absl::Duration idle_timeout = absl::Seconds(75);    // for a request's first byte; then closed
  absl::Duration write_timeout = absl::Seconds(30);   // a client that reads nothing; then closed

  // A client that closes its sending side may be gone, or may still wait for its answer: the two
  // look alike. It counts as gone, for OnGone, after this time. An answer is sent in any case.
  absl::Duration half_close_grace = absl::Seconds(1);

  WebSocketOptions web_socket;

  Refusal refusal = PlainRefusal;
};

// An HTTP/1.1 and 1.0 server (RFC 9112) with keep-alive and pipelining: answers go out in the order
// of the requests. Pipelined requests run side by side while all of them are safe (GET, HEAD,
// OPTIONS); any other one runs alone. Bad syntax, framing that two servers could read in two ways
// (more than one Content-Length, Content-Length with Transfer-Encoding, a transfer coding other
// than chunked) and a missing Host are answered with 400. After each answer of the server's own but
// 500 the connection is closed. Requests that want a WebSocket (RFC 6455) are handed to the handler, too,
// which may agree; bytes that a client sends behind such a request before it is answered are a 400.
// Thread-safe.
class Server {
 public:
  // Binds and starts serving. InvalidArgument when `listen` is not an address or a limit is too
  // high, Unavailable when the address is taken.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Options options, Handler handler);

  // Like Stop(absl::ZeroDuration()).
  ~Server();

  // The address bound to, with the real port: "127.0.0.1:8080".
  std::string address() const;

  // Closes the listener and idle connections, lets requests under way finish for at most `drain`,
  // then closes the rest (their OnGone callbacks run). Streams are told that they are gone, WebSockets
  // closed with 1001, at once. When it returns, no handler and no callback
  // is running. Idempotent. Not to be called on a server thread.
  void Stop(absl::Duration drain);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace god33::http
