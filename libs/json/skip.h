#pragma once

#include <cstring>

namespace god33::json::internal {

// Moving over JSON text that is known to be well formed, so no step looks for the end of the
// buffer.

inline const char* SkipBlanks(const char* at) {
  while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') ++at;
  return at;
}

// From a string's opening quote to the character after its closing one.
inline const char* SkipString(const char* at) {
  for (++at;; ++at) {
    if (*at == '"') return at + 1;
    if (*at == '\\') ++at;
  }
}

// From a number's or literal's first character to the one after it; `end` is the text's end.
inline const char* SkipScalar(const char* at, const char* end) {
  while (at != end && std::strchr(",]} \n\t\r", *at) == nullptr) ++at;
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
