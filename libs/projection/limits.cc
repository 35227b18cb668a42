#include "projection/limits.h"

#include "base/strings.h"

namespace god33::projection {

absl::Status CheckFits(std::string_view field, const std::string& text, std::size_t most) {
  const std::size_t length = CountCharacters(text);
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
