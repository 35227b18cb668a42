#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace god33::fuzz {

enum Opcode { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

// A WebSocket frame (RFC 6455, section 5.2) as it travels.
struct Frame {
  bool fin = false;
  int reserved = 0;
  int opcode = 0;
  bool masked = false;
  bool minimal = true;  // its length is written in as few bytes as can be
  std::string payload;  // without its mask
};

// The frame at the start of `bytes`, which lose it. None when they hold no whole one, or one longer than
// `most`; then `too_long` says so.
std::optional<Frame> TakeFrame(std::string_view& bytes, std::size_t most, bool& too_long);

// What a server must make of a client's bytes.
struct Conversation {
  std::vector<std::string> texts;  // the whole messages before the end
  bool ended = false;              // by a close frame, or by what the protocol forbids
};

Conversation Listen(std::string_view bytes, std::size_t most);

}  // namespace god33::fuzz
