#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// JSON text in another layout: only the blanks between tokens change, never a token, so keys,
// numbers and escapes come out digit for digit. Of text that is no JSON they make something of the
// same characters.

namespace god33::cli {

// What becomes of characters in strings that are not safe on a terminal (visible.h).
enum class Unsafe {
  kKeep,
  kEscape,  // \u202e: the same JSON value
};

// Without blanks between tokens: always one line.
std::string CompactJson(std::string_view json, Unsafe unsafe);

// Indented by two blanks a level, starting at `level`; no newline at the end.
std::string IndentJson(std::string_view json, Unsafe unsafe, std::size_t level = 0);

}  // namespace god33::cli
