#include "tools/god33/report.h"

#include "absl/strings/cord.h"
#include "base/error.h"
#include "base/strings.h"
#include "tools/god33/visible.h"

namespace god33::cli {
namespace {

constexpr char kHint[] = "god33.hint";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kPlain = "\x1b[0m";

std::string Painted(std::string_view text, std::string_view paint, bool color) {
  return color ? StrCat(paint, text, kPlain) : std::string(text);
}

}  // namespace

absl::Status WithHint(const absl::Status& status, std::string_view hint) {
  absl::Status result = status;
  result.SetPayload(kHint, absl::Cord(ToAbsl(hint)));
  return result;
}

std::string Report(const absl::Status& status, bool color) {
  std::string text = StrCat(Painted("god33:", kRed, color), " ", Visible(MessageOf(status)), " (",
                            Visible(ReasonOf(status)), ")\n");
  if (const auto hint = status.GetPayload(kHint)) {
    StrAppend(&text, "hint: ", Visible(std::string(*hint)), "\n");
  }
  return text;
}

std::string Warning(std::string_view message, bool color) {
  return StrCat(Painted("god33: warning:", kYellow, color), " ", Visible(message), "\n");
}

}  // namespace god33::cli
