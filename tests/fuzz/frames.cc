#include "fuzz/frames.h"

#include "json/text.h"

namespace god33::fuzz {
namespace {

constexpr std::size_t kMostControl = 125;

std::uint64_t Number(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char c : bytes) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

bool IsControl(int opcode) {
  return opcode >= kClose;
}

// Whether a client may send it at all, wherever.
bool IsAllowed(const Frame& frame) {
  if (frame.reserved != 0 || !frame.masked || !frame.minimal || frame.opcode > kPong ||
      (frame.opcode > kBinary && frame.opcode < kClose)) {
    return false;
  }
  return !IsControl(frame.opcode) || (frame.fin && frame.payload.size() <= kMostControl);
}

}  // namespace

std::optional<Frame> TakeFrame(std::string_view& bytes, std::size_t most, bool& too_long) {
  too_long = false;
  if (bytes.size() < 2) return std::nullopt;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const auto second = static_cast<unsigned char>(bytes[1]);
  Frame frame{.fin = (first & 0x80) != 0,
              .reserved = first >> 4 & 7,
              .opcode = first & 0xF,
              .masked = (second & 0x80) != 0};
  std::uint64_t size = second & 0x7F;
  const std::size_t extended = size < 126 ? 0 : size == 126 ? 2 : 8;
  const std::size_t head = 2 + extended + (frame.masked ? 4 : 0);
  if (bytes.size() < head) return std::nullopt;
  if (extended != 0) {
    size = Number(bytes.substr(2, extended));
    frame.minimal = size >= (extended == 2 ? 126u : 65536u);
  }
  too_long = size > most;
  if (too_long || bytes.size() - head < size) return std::nullopt;
  frame.payload = bytes.substr(head, static_cast<std::size_t>(size));
  if (frame.masked) {
    for (std::size_t i = 0; i < frame.payload.size(); ++i) {
      frame.payload[i] = static_cast<char>(frame.payload[i] ^ bytes[head - 4 + i % 4]);
    }
  }
  bytes.remove_prefix(head + static_cast<std::size_t>(size));
  return frame;
}

Conversation Listen(std::string_view bytes, std::size_t most) {
  Conversation heard;
  std::optional<std::string> message;  // while one is under way
  bool too_long = false;
  while (const auto frame = TakeFrame(bytes, most, too_long)) {
    heard.ended = !IsAllowed(*frame) || frame->opcode == kClose || frame->opcode == kBinary ||
                  (frame->opcode == kText && message) ||
                  (frame->opcode == kContinuation && !message);
    if (heard.ended) return heard;
    if (IsControl(frame->opcode)) continue;
    message = message.value_or("") + frame->payload;
    heard.ended =
        message->size() > most || (frame->fin && json::ValidPrefix(*message) < message->size());
    if (heard.ended) return heard;
    if (!frame->fin) continue;
    heard.texts.push_back(*message);
    message.reset();
  }
  heard.ended = too_long;
  return heard;
}

}  // namespace god33::fuzz
