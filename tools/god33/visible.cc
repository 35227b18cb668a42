#include "tools/god33/visible.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

#include "absl/strings/str_format.h"

namespace god33::cli {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr std::string_view kReplacementText = "\xEF\xBF\xBD";
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";

struct Range {
  char32_t first;
  char32_t last;
};

constexpr Range kUnsafe[] = {
    {0x0000, 0x001F}, {0x007F, 0x009F}, {0x00AD, 0x00AD}, {0x061C, 0x061C},   {0x115F, 0x1160},
    {0x180E, 0x180E}, {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},   {0x3164, 0x3164},
    {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF9, 0xFFFB}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

// Marks that are drawn over the character before them.
constexpr Range kNoWidth[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A},
    {0x064B, 0x065F}, {0x06D6, 0x06DC}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},
    {0x20D0, 0x20FF}, {0x302A, 0x302D}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
};

// East Asian characters and pictures.
constexpr Range kDoubleWidth[] = {
    {0x1100, 0x115E},   {0x2E80, 0x303E},   {0x3041, 0x4DBF},   {0x4E00, 0xA4CF},
    {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
    {0xFF01, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF},
    {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD},
};

template <std::size_t N>
bool Contains(const Range (&ranges)[N], char32_t code) {
  const auto at = std::lower_bound(std::begin(ranges), std::end(ranges), code,
                                   [](const Range& range, char32_t c) { return range.last < c; });
  return at != std::end(ranges) && at->first <= code;
}

std::size_t WidthOf(char32_t code) {
  if (Contains(kNoWidth, code)) return 0;
  return Contains(kDoubleWidth, code) ? 2 : 1;
}

std::string Spelled(char32_t code) {
  switch (code) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      if (code > 0xFFFF) return absl::StrFormat("\\u{%x}", static_cast<std::uint32_t>(code));
      return absl::StrFormat("\\u%04x", static_cast<std::uint32_t>(code));
  }
}

}  // namespace

Character FirstCharacter(std::string_view text) {
  constexpr Character kInvalid{kReplacement, 1};
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || bytes > text.size()) return kInvalid;
  char32_t code = lead & (0xFF >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return kInvalid;
    code = code << 6 | (byte(i) & 0x3F);
  }
  // Longer than necessary, half of a UTF-16 pair, or beyond Unicode.
  constexpr std::array<char32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[bytes] || (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF) return kInvalid;
  return {code, bytes};
}

bool IsUnsafe(char32_t code) {
  return Contains(kUnsafe, code);
}

std::string Visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto [code, bytes] = FirstCharacter(text);
    if (IsUnsafe(code)) {
      out += Spelled(code);
    } else {
      out += code == kReplacement ? kReplacementText : text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
  return out;
}

std::size_t DisplayWidth(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const auto [code, bytes] = FirstCharacter(text);
    width += WidthOf(code);
    text.remove_prefix(bytes);
  }
  return width;
}

std::string CutToWidth(std::string_view text, std::size_t width) {
  std::size_t used = 0;
  std::size_t keep = 0;  // bytes that leave a column for the ellipsis
  for (std::size_t at = 0; at < text.size();) {
    const auto [code, bytes] = FirstCharacter(text.substr(at));
    used += WidthOf(code);
    at += bytes;
    if (used > width) return std::string(text.substr(0, keep)).append(kEllipsis);
    if (used < width) keep = at;
  }
  return std::string(text);
}

}  // namespace god33::cli
