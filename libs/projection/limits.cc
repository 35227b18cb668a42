#include "projection/limits.h"

#include <algorithm>

#include "base/strings.h"

namespace god33::projection {

absl::Status CheckFits(std::string_view field, const std::string& text, std::size_t most) {
  // Characters, not bytes: UTF-8 continuation bytes don't count.
  const auto length = static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  if (length > most) {
    return absl::FailedPreconditionError(
        StrCat(field, " has ", length, " characters, and the table holds at most ", most));
  }
  if (text.find('\0') != std::string::npos) {
    return absl::FailedPreconditionError(StrCat(field, " holds a NUL, which no text column can"));
  }
  return absl::OkStatus();
}

}  // namespace god33::projection
