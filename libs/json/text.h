#pragma once

#include <string>
#include <string_view>

namespace god33::json {

// What becomes of half a UTF-16 pair, which UTF-8 can't hold.
enum class LoneSurrogate {
  kReplace,  // U+FFFD: valid UTF-8 for people and for protobuf
  kKeep,     // its three-byte form (WTF-8): different halves stay different
};

// The characters of a JSON string. `quoted` is its well-formed text with the quotes.
std::string Unescape(std::string_view quoted, LoneSurrogate lone);

// Appends `text` as a JSON string with quotes. Control characters, quotes and backslashes are
// escaped; bytes that are not UTF-8 become U+FFFD, so the result is always valid.
void AppendString(std::string& out, std::string_view text);

// `text` with what is no UTF-8, and NUL, as U+FFFD: PostgreSQL's text holds neither.
std::string CleanText(std::string_view text);

// How many bytes at the start of `text` are UTF-8.
std::size_t ValidPrefix(std::string_view text);

}  // namespace god33::json
