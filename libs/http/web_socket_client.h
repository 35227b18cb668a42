#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace god33::http {

// A WebSocket's address (RFC 6455, section 3): ws://host[:port][/path][?query], or wss:// for TLS.
struct WebSocketUrl {
  bool secure = false;
  std::string host;    // an IPv6 address without brackets
  std::string port;    // as given, or 80 or 443
  std::string target;  // path and query, at least "/"

  // InvalidArgument for everything else: other schemes, user names, fragments, blanks.
  static absl::StatusOr<WebSocketUrl> Parse(std::string_view url);
};

struct WebSocketClientOptions {
  WebSocketUrl url;
  std::string bearer_token;  // goes into Authorization, if there is one

  absl::Duration connect_timeout = absl::Seconds(10);  // address, TCP, TLS and handshake together
  absl::Duration ping_interval = absl::Seconds(20);
  absl::Duration silence_timeout = absl::Seconds(60);  // neither data nor pong; then it is lost
  absl::Duration write_timeout = absl::Seconds(30);    // a server that reads nothing; likewise
  absl::Duration close_timeout = absl::Seconds(2);     // for what waits and the closing handshake

  std::size_t max_message_bytes = 16 << 20;  // of the server's message, in all its frames
  std::size_t max_waiting_bytes = 32 << 20;  // of ours that are not sent yet
};

// What happens on a connection. Both run on its one thread, one at a time; while one runs nothing is read.
struct WebSocketClientEvents {
  // A text message, whole and in valid UTF-8. An error ends the connection, and is what `gone` tells.
  absl::AnyInvocable<absl::Status(std::string text)> message;

  // Once, at the end, whoever brought it about: why. Nothing runs after it.
  absl::AnyInvocable<void(const absl::Status& why) &&> gone;
};

// A WebSocket, the client's side, with a thread of its own. It pings and answers pings. A binary message, one
// that is too long, and what breaks the protocol end the connection. Thread-safe.
class WebSocketClient {
 public:
  // Connects and shakes hands; afterwards the events come. Over TLS the server's certificate must be valid for
  // the host, by the system's authorities. Errors, after which no event comes:
  //   UNAVAILABLE         there is no such host, nobody listens, TLS failed, the server can't now (429, 5xx)
  //   DEADLINE_EXCEEDED   connect_timeout was over
  //   UNAUTHENTICATED, PERMISSION_DENIED   401, 403
  //   FAILED_PRECONDITION                  another answer than a WebSocket's
  static absl::StatusOr<std::unique_ptr<WebSocketClient>> Connect(WebSocketClientOptions options,
                                                                  WebSocketClientEvents events);

  // Closes with 1000 and waits for the thread, at most for close_timeout. Not to be called by an event.
  ~WebSocketClient();

  // Sends a text message behind the others. RESOURCE_EXHAUSTED, and nothing is sent, when too much waits
  // already; UNAVAILABLE when the connection has ended.
  absl::Status Send(std::string text);

 private:
  class Impl;
  explicit WebSocketClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace god33::http
