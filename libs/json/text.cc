#include "json/text.h"

#include <simdjson.h>

#include <cstdint>

namespace god33::json {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::uint32_t Hex4(const char* at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = at[i];
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    value = value << 4 | static_cast<std::uint32_t>(digit);
  }
  return value;
}

void AppendCodePoint(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

bool IsHighSurrogate(std::uint32_t code) {
  return code >= 0xD800 && code < 0xDC00;
}
bool IsLowSurrogate(std::uint32_t code) {
  return code >= 0xDC00 && code < 0xE000;
}

// Length of the valid UTF-8 sequence at the start of `text`, or 0.
std::size_t SequenceLength(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0x80             ? 1
                             : (lead & 0xE0) == 0xC0 ? 2
                             : (lead & 0xF0) == 0xE0 ? 3
                             : (lead & 0xF8) == 0xF0 ? 4
                                                     : 0;
  if (length <= 1) return length;
  if (length > text.size()) return 0;
  return simdjson::validate_utf8(text.data(), length) ? length : 0;
}

void AppendEscaped(std::string& out, char c) {
  switch (c) {
    case '"':
      out.append("\\\"");
      return;
    case '\\':
      out.append("\\\\");
      return;
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    default:
      constexpr char kHex[] = "0123456789abcdef";
      out.append("\\u00");
      out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kHex[c & 0xF]);
  }
}

}  // namespace

std::string Unescape(std::string_view quoted, LoneSurrogate lone) {
  const std::string_view inner = quoted.substr(1, quoted.size() - 2);
  std::size_t next = inner.find('\\');
  if (next == std::string_view::npos) return std::string(inner);
  std::string out;
  out.reserve(inner.size());
  std::size_t at = 0;
  for (; next != std::string_view::npos; next = inner.find('\\', at)) {
    out.append(inner, at, next - at);
    const char escape = inner[next + 1];
    at = next + 2;
    if (escape != 'u') {
      constexpr std::string_view kFrom = "bfnrt";
      constexpr std::string_view kTo = "\b\f\n\r\t";
      const std::size_t i = kFrom.find(escape);
      out.push_back(i == std::string_view::npos ? escape : kTo[i]);
      continue;
    }
    std::uint32_t code = Hex4(inner.data() + at);
    at += 4;
    if (IsHighSurrogate(code) && inner.substr(at, 2) == "\\u") {
      const std::uint32_t low = Hex4(inner.data() + at + 2);
      if (IsLowSurrogate(low)) {
        code = 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00));
        at += 6;
      }
    }
    if ((IsHighSurrogate(code) || IsLowSurrogate(code)) && lone == LoneSurrogate::kReplace) {
      out.append(kReplacement);
    } else {
      AppendCodePoint(out, code);
    }
  }
  out.append(inner, at);
  return out;
}

std::size_t ValidPrefix(std::string_view text) {
  std::size_t valid = 0;
  while (valid < text.size()) {
    const std::size_t length = SequenceLength(text.substr(valid));
    if (length == 0) break;
    valid += length;
  }
  return valid;
}

std::string CleanText(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const std::size_t length = text[0] == '\0' ? 0 : SequenceLength(text);
    clean.append(length == 0 ? kReplacement : text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return clean;
}

void AppendString(std::string& out, std::string_view text) {
  const bool valid = simdjson::validate_utf8(text.data(), text.size());
  out.push_back('"');
  std::size_t plain = 0;  // start of what has not been appended yet
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c >= 0x20 && c != '"' && c != '\\' && (c < 0x80 || valid)) {
      ++at;
      continue;
    }
    if (c >= 0x80) {
      if (const std::size_t length = SequenceLength(text.substr(at))) {
        at += length;
        continue;
      }
    }
    out.append(text, plain, at - plain);
    if (c >= 0x80) {
      out.append(kReplacement);
    } else {
      AppendEscaped(out, text[at]);
    }
    plain = ++at;
  }
  out.append(text, plain);
  out.push_back('"');
}

}  // namespace god33::json
