#include "http/url.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace god33::http {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

absl::StatusOr<std::string> DecodeFormText(std::string_view text) {
  std::string blanks(text);
  std::replace(blanks.begin(), blanks.end(), '+', ' ');
  return PercentDecode(blanks);
}

}  // namespace

absl::StatusOr<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded.push_back(text[at]);
      continue;
    }
    const int high = at + 2 < text.size() ? HexValue(text[at + 1]) : -1;
    const int low = at + 2 < text.size() ? HexValue(text[at + 2]) : -1;
    if (high < 0 || low < 0) {
      return InvalidArgument("expected two hexadecimal digits after each '%'");
    }
    decoded.push_back(static_cast<char>(high << 4 | low));
    at += 2;
  }
  return decoded;
}

absl::StatusOr<Parameters> ParseQuery(std::string_view query) {
  Parameters parameters;
  while (!query.empty()) {
    const std::string_view piece = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), piece.size() + 1));
    if (piece.empty()) continue;
    const std::size_t equals = std::min(piece.find('='), piece.size());
    const std::string_view raw_value = piece.substr(std::min(equals + 1, piece.size()));
    absl::StatusOr<std::string> name = DecodeFormText(piece.substr(0, equals));
    absl::StatusOr<std::string> value = DecodeFormText(raw_value);
    if (equals == 0) return InvalidField("query", "a parameter has no name");
    if (!name.ok() || !value.ok()) {
      const std::string_view shown = piece.substr(0, std::min<std::size_t>(equals, 80));
      return InvalidField(name.ok() ? *name : shown,
                          MessageOf(name.ok() ? value.status() : name.status()));
    }
    parameters.emplace_back(*std::move(name), *std::move(value));
  }
  return parameters;
}

}  // namespace god33::http
