#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Text from agents and producers is hostile: written to a terminal as it is, it could move the
// cursor, repaint lines that others wrote, reorder what is read, or hide. Everything for people
// goes through here.

namespace god33::cli {

// The first character of a text. What is no UTF-8 counts byte by byte as U+FFFD.
struct Character {
  char32_t code;
  std::size_t bytes;
};
Character FirstCharacter(std::string_view text);

// Characters that do something instead of showing something: controls (C0, DEL, C1), line and
// paragraph separators, marks that reverse the reading direction, invisible ones, tags.
bool IsUnsafe(char32_t code);

// The text in valid UTF-8 with every unsafe character spelled out: \n, \r, \t, \u001b, \u{e0041}.
std::string Visible(std::string_view text);

// How many columns of a terminal a text without unsafe characters takes.
std::size_t DisplayWidth(std::string_view text);

// The text if it fits into `width` columns (at least 1), else its beginning with "…" at the end.
std::string CutToWidth(std::string_view text, std::size_t width);

}  // namespace god33::cli
