#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "http/body_stream.h"

namespace god33::http {

struct Request;

// Codes of RFC 6455, section 7.4, and of the registry it began.
inline constexpr int kCloseGoingAway = 1001;
inline constexpr int kCloseProtocolError = 1002;
inline constexpr int kCloseNotText = 1003;
inline constexpr int kCloseNoCode = 1005;  // the client gave none
inline constexpr int kCloseLost = 1006;    // the connection ended without a closing handshake
inline constexpr int kCloseNotUtf8 = 1007;
inline constexpr int kClosePolicy = 1008;
inline constexpr int kCloseTooBig = 1009;
inline constexpr int kCloseInternal = 1011;
inline constexpr int kCloseServiceRestart = 1012;
inline constexpr int kCloseTryAgainLater = 1013;
inline constexpr int kLastCloseCode = 4999;  // those above are no codes

// What happens on a WebSocket. Both run on a server thread, which they must not block, one at a time.
struct WebSocketEvents {
  // A text message, whole and in valid UTF-8. While more than half of kMaxWaitingBytes waits to be
  // sent, no further one is read.
  absl::AnyInvocable<void(std::string text)> message;

  // Once, at the end, whoever brought it about: the code of the closing handshake, 1000 to 4999. Nothing
  // runs after it.
  absl::AnyInvocable<void(int code) &&> gone;
};

// A WebSocket (RFC 6455), the server's side. May be used from any thread, also after the client or the
// server is gone; then nothing happens. The server pings, answers pings, and closes by itself:
//   1001 when it stops, 1002 for what breaks the protocol (unmasked frames, reserved bits, ...),
//   1003 for a binary message, 1007 for text that is not UTF-8, 1009 for a message that is too long.
// Dropped without Close, it is closed with 1011.
class WebSocket {
 public:
  virtual ~WebSocket() = default;

  // Sends a text message behind the others. False, and nothing is sent, when too much waits
  // already.
  [[nodiscard]] virtual bool Send(std::string text, Written written) = 0;

  // Begins the closing handshake, behind all messages; `reason` has at most 123 bytes, more is cut
  // off. Further calls change nothing.
  virtual void Close(int code, std::string_view reason) = 0;
};

struct WebSocketOptions {
  std::size_t max_message_bytes = 64 << 10;  // of a client's message, in all its frames

  absl::Duration ping_interval = absl::Seconds(20);
  absl::Duration silence_timeout =
      absl::Seconds(60);                            // neither data nor pong; then it counts as lost
  absl::Duration close_timeout = absl::Seconds(2);  // for what waits and the closing handshake
};

// Whether the client asks to go on as a WebSocket: an Upgrade header that names it, right or wrong.
bool WantsWebSocket(const Request& request);

// Why a request that wants a WebSocket can't have one (RFC 6455, section 4.2.1).
struct BadUpgrade {
  int status =
      400;  // or 405, or 426 for another version: then Sec-WebSocket-Version: 13 belongs to it
  std::string detail;
};
std::optional<BadUpgrade> CheckUpgrade(const Request& request);

}  // namespace god33::http
