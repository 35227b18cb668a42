#include "tools/god33/json_layout.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_format.h"
#include "tools/god33/visible.h"

namespace god33::cli {
namespace {

bool IsBlank(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

// The string at the start of `text`, with its quotes.
std::string_view TakeString(std::string_view text) {
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') return text.substr(0, at + 1);
    if (text[at] == '\\') ++at;
  }
  return text;
}

void AppendEscape(std::string& out, char32_t code) {
  const auto append = [&out](char32_t unit) {
    absl::StrAppendFormat(&out, "\\u%04x", static_cast<std::uint32_t>(unit));
  };
  if (code <= 0xFFFF) return append(code);
  append(0xD800 + ((code - 0x10000) >> 10));
  append(0xDC00 + ((code - 0x10000) & 0x3FF));
}

void AppendString(std::string& out, std::string_view quoted, Unsafe unsafe) {
  if (unsafe == Unsafe::kKeep) {
    out += quoted;
    return;
  }
  while (!quoted.empty()) {
    const auto [code, bytes] = FirstCharacter(quoted);
    if (IsUnsafe(code)) {
      AppendEscape(out, code);
    } else {
      out += quoted.substr(0, bytes);
    }
    quoted.remove_prefix(bytes);
  }
}

// The next character behind `at` that is no blank, or 0.
char NextAfter(std::string_view json, std::size_t at) {
  while (++at < json.size()) {
    if (!IsBlank(json[at])) return json[at];
  }
  return 0;
}

}  // namespace

std::string CompactJson(std::string_view json, Unsafe unsafe) {
  std::string out;
  out.reserve(json.size());
  for (std::size_t at = 0; at < json.size();) {
    if (json[at] == '"') {
      const std::string_view quoted = TakeString(json.substr(at));
      AppendString(out, quoted, unsafe);
      at += quoted.size();
    } else {
      if (!IsBlank(json[at])) out += json[at];
      ++at;
    }
  }
  return out;
}

std::string IndentJson(std::string_view json, Unsafe unsafe, std::size_t level) {
  std::string out;
  const auto new_line = [&out, &level] { out.append("\n").append(2 * level, ' '); };
  for (std::size_t at = 0; at < json.size(); ++at) {
    const char c = json[at];
    switch (c) {
      case '"': {
        const std::string_view quoted = TakeString(json.substr(at));
        AppendString(out, quoted, unsafe);
        at += quoted.size() - 1;
        break;
      }
      case '{':
      case '[': {
        out += c;
        const char next = NextAfter(json, at);
        ++level;
        if (next != '}' && next != ']') new_line();
        break;
      }
      case '}':
      case ']':
        level -= std::min<std::size_t>(level, 1);
        if (!out.empty() && out.back() != '{' && out.back() != '[') new_line();
        out += c;
        break;
      case ',':
        out += c;
        new_line();
        break;
      case ':':
        out += ": ";
        break;
      default:
        if (!IsBlank(c)) out += c;
    }
  }
  return out;
}

}  // namespace god33::cli
