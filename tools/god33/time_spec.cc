#include "tools/god33/time_spec.h"

#include <charconv>
#include <cstdint>
#include <optional>

#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"

namespace god33::cli {
namespace {

constexpr std::size_t kMostQuoted = 60;

std::optional<absl::Duration> UnitOf(std::string_view name) {
  if (name == "ms") return absl::Milliseconds(1);
  if (name == "s") return absl::Seconds(1);
  if (name == "m") return absl::Minutes(1);
  if (name == "h") return absl::Hours(1);
  if (name == "d") return absl::Hours(24);
  if (name == "w") return absl::Hours(24 * 7);
  return std::nullopt;
}

// A number and its unit, taken from the start of `rest`.
std::optional<absl::Duration> TakePart(std::string_view& rest) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error != std::errc()) return std::nullopt;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  const std::size_t length = rest.find_first_of("0123456789");
  const auto unit = UnitOf(rest.substr(0, length));
  if (!unit) return std::nullopt;
  rest.remove_prefix(std::min(length, rest.size()));
  return number * *unit;
}

std::optional<absl::Duration> ScanSpan(std::string_view text) {
  if (text.empty()) return std::nullopt;
  absl::Duration span;
  while (!text.empty()) {
    const auto part = TakePart(text);
    if (!part) return std::nullopt;
    span += *part;
  }
  return span;
}

absl::Status Expected(std::string_view what, std::string_view got) {
  return InvalidArgument(StrCat("expected ", what, ", got \"", got.substr(0, kMostQuoted),
                                got.size() > kMostQuoted ? "...\"" : "\""));
}

}  // namespace

absl::StatusOr<absl::Duration> ParseSpan(std::string_view text) {
  if (const auto span = ScanSpan(text)) return *span;
  return Expected("a span of time such as 90s, 2h or 7d", text);
}

absl::StatusOr<absl::Time> ParseMoment(std::string_view text, absl::Time now) {
  if (const auto span = ScanSpan(text)) {
    const absl::Time moment = now - *span;
    if (moment >= absl::FromCivil(absl::CivilSecond(1), absl::UTCTimeZone())) return moment;
  } else if (const auto time = ParseTimestamp(text); time.ok()) {
    return *time;
  }
  return Expected("an RFC 3339 time such as 2026-01-27T10:00:00Z, or how long ago: 15m, 2h, 7d",
                  text);
}

absl::StatusOr<absl::Time> ParseDeadline(std::string_view text, absl::Time now) {
  if (const auto span = ScanSpan(text)) {
    if (const absl::Time time = now + *span; InTimestampRange(time)) return time;
  } else if (const auto time = ParseTimestamp(text); time.ok()) {
    return *time;
  }
  return Expected("an RFC 3339 time such as 2027-01-15T12:00:00Z, or how long from now: 2h, 7d",
                  text);
}

absl::StatusOr<absl::Duration> ParseTimeout(std::string_view text) {
  const bool number =
      !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  const auto timeout = ScanSpan(number ? StrCat(text, "s") : std::string(text));
  if (timeout && *timeout > absl::ZeroDuration() && *timeout <= absl::Hours(1)) return *timeout;
  return Expected("a span of time such as 500ms, 10s or 2m, at most 1h", text);
}

}  // namespace god33::cli
