#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "unit/http/client.h"

namespace god33::http {

enum Opcode { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

inline constexpr char kUpgrade[] =
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

// A WebSocket frame (RFC 6455, section 5.2), right or wrong.
struct Frame {
  int opcode = kText;
  std::string payload;
  bool fin = true;
  bool masked = true;
  int reserved = 0;  // the three bits
};

inline std::string Encode(const Frame& frame) {
  std::string bytes;
  bytes += static_cast<char>((frame.fin ? 0x80 : 0) | frame.reserved << 4 | frame.opcode);
  const std::size_t size = frame.payload.size();
  const int mask = frame.masked ? 0x80 : 0;
  const int extended = size < 126 ? 0 : size < 65536 ? 2 : 8;
  bytes += static_cast<char>(mask | (extended == 0   ? static_cast<int>(size)
                                     : extended == 2 ? 126
                                                     : 127));
  for (int i = extended - 1; i >= 0; --i) bytes += static_cast<char>(size >> (8 * i) & 0xff);
  if (!frame.masked) return bytes + frame.payload;
  constexpr std::string_view kMask = "\x12\x34\x56\x78";
  bytes += kMask;
  for (std::size_t i = 0; i < size; ++i) {
    bytes += static_cast<char>(frame.payload[i] ^ kMask[i % 4]);
  }
  return bytes;
}

// The server's next frame; its opcode is -1 when the connection ended instead.
inline Frame ReceiveFrame(Client& client) {
  const auto number = [&client](std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char c : client.ReceiveBytes(bytes))
      value = value << 8 | static_cast<unsigned char>(c);
    return value;
  };
  const std::string head = client.ReceiveBytes(2);
  if (head.size() < 2) return Frame{.opcode = -1};
  Frame frame{
      .opcode = head[0] & 0x0f, .fin = (head[0] & 0x80) != 0, .masked = (head[1] & 0x80) != 0};
  std::uint64_t size = static_cast<unsigned char>(head[1]) & 0x7f;
  if (size >= 126) size = number(size == 126 ? 2 : 8);
  frame.payload = client.ReceiveBytes(size);
  return frame;
}

// The next text message, in all its frames; pings on the way are left unanswered. "" when there is none.
inline std::string ReceiveText(Client& client) {
  std::string text;
  for (;;) {
    const Frame frame = ReceiveFrame(client);
    if (frame.opcode == kPing) continue;
    if (frame.opcode != kText && frame.opcode != kContinuation) return "";
    text += frame.payload;
    if (frame.fin) return text;
  }
}

// The code of a close frame that comes before the connection's end; 1005 without one, 1006 without frame.
inline int ReceiveClose(Client& client) {
  for (;;) {
    const Frame frame = ReceiveFrame(client);
    if (frame.opcode == -1) return 1006;
    if (frame.opcode != kClose) continue;
    if (frame.payload.size() < 2) return 1005;
    return static_cast<unsigned char>(frame.payload[0]) << 8 |
           static_cast<unsigned char>(frame.payload[1]);
  }
}

inline std::string CloseFrame(int code) {
  return Encode({.opcode = kClose,
                 .payload = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)}});
}

}  // namespace god33::http
