#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace god33::json::internal {

// Moving over JSON text that is known to be well formed, so no step looks for the end of the
// buffer.

inline const char* SkipBlanks(const char* at) {
  while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') ++at;
  return at;
}

// From a string's opening quote to the character after its closing one. That one is there, so memchr,
// which reads no further than to what it finds, needs no length.
inline const char* SkipString(const char* at) {
  for (const char* quote = at;;) {
    quote = static_cast<const char*>(std::memchr(quote + 1, '"', PTRDIFF_MAX / 2));
    const char* escapes = quote;
    while (escapes[-1] == '\\') --escapes;
    if ((quote - escapes) % 2 == 0) return quote + 1;
  }
}

// From a number's or literal's first character to the one after it; `end` is the text's end.
inline const char* SkipScalar(const char* at, const char* end) {
  for (; at != end; ++at) {
    switch (*at) {
      case ',':
      case ']':
      case '}':
      case ' ':
      case '\n':
      case '\t':
      case '\r':
        return at;
      default:
        break;
    }
  }
  return at;
}

// From a value's first character to the one after it; `end` is the text's end.
inline const char* SkipValue(const char* at, const char* end) {
  if (*at == '"') return SkipString(at);
  if (*at != '{' && *at != '[') return SkipScalar(at, end);
  for (std::size_t depth = 0;;) {
    switch (*at) {
      case '"':
        at = SkipString(at);
        continue;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (--depth == 0) return at + 1;
        break;
      default:
        break;
    }
    ++at;
  }
}

}  // namespace god33::json::internal
