#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// What fuzz targets are written with. libFuzzer calls each target's LLVMFuzzerTestOneInput with one input
// after another; a finding is a process that ends.

namespace god33::fuzz {

// The input as it is: its end is the end of its memory, so that AddressSanitizer sees a read beyond it.
inline std::string_view Text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// What stands before the first `end`, or everything; `text` keeps what is behind it.
inline std::string_view Take(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return taken;
}

// A property that must hold, in words, and what was seen instead.
inline void Check(bool holds, std::string_view property, std::string_view seen = {}) {
  if (holds) return;
  std::fprintf(stderr, "BROKEN: %.*s\n%.*s\n", static_cast<int>(property.size()), property.data(),
               static_cast<int>(seen.size()), seen.data());
  std::abort();
}

}  // namespace god33::fuzz
