#include "base/timestamp.h"

#include <cstdint>
#include <optional>

#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "base/error.h"
#include "base/strings.h"

namespace god33 {
namespace {

// Consumes an RFC 3339 text from the left.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  // Exactly `digits` decimal digits.
  std::optional<int> Number(std::size_t digits) {
    if (rest_.size() < digits) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (!IsDigit(rest_[i])) return std::nullopt;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }

  // One of the given characters; 0 if the next one is none of them.
  char OneOf(std::string_view characters) {
    if (rest_.empty() || characters.find(rest_[0]) == std::string_view::npos) return 0;
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }

  // One or more digits after a decimal point, as microseconds; what is finer is dropped.
  std::optional<int> Fraction() {
    int micros = 0;
    std::size_t digits = 0;
    for (; digits < rest_.size() && IsDigit(rest_[digits]); ++digits) {
      if (digits < 6) micros = micros * 10 + (rest_[digits] - '0');
    }
    if (digits == 0) return std::nullopt;
    rest_.remove_prefix(digits);
    for (; digits < 6; ++digits) micros *= 10;
    return micros;
  }

  bool done() const { return rest_.empty(); }

 private:
  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }

  std::string_view rest_;
};

std::optional<absl::Time> Scan(std::string_view text) {
  Scanner scan(text);
  const auto year = scan.Number(4);
  if (!year || !scan.OneOf("-")) return std::nullopt;
  const auto month = scan.Number(2);
  if (!month || !scan.OneOf("-")) return std::nullopt;
  const auto day = scan.Number(2);
  if (!day || !scan.OneOf("Tt ")) return std::nullopt;
  const auto hour = scan.Number(2);
  if (!hour || !scan.OneOf(":")) return std::nullopt;
  const auto minute = scan.Number(2);
  if (!minute || !scan.OneOf(":")) return std::nullopt;
  const auto second = scan.Number(2);
  if (!second) return std::nullopt;
  int micros = 0;
  if (scan.OneOf(".,")) {
    const auto fraction = scan.Fraction();
    if (!fraction) return std::nullopt;
    micros = *fraction;
  }
  int offset_minutes = 0;
  if (!scan.OneOf("Zz")) {
    if (const char sign = scan.OneOf("+-")) {
      const auto offset_hour = scan.Number(2);
      scan.OneOf(":");
      const auto offset_minute = scan.Number(2);
      if (!offset_hour || !offset_minute || *offset_hour > 23 || *offset_minute > 59) {
        return std::nullopt;
      }
      offset_minutes = (*offset_hour * 60 + *offset_minute) * (sign == '-' ? -1 : 1);
    }
  }
  if (!scan.done() || *year < 1 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const absl::CivilDay date(*year, *month, *day);
  if (date.month() != *month || date.day() != *day) return std::nullopt;  // 31 April and its like
  const absl::CivilSecond civil(*year, *month, *day, *hour, *minute, *second);
  const absl::Time time = absl::FromCivil(civil, absl::UTCTimeZone()) -
                          absl::Minutes(offset_minutes) + absl::Microseconds(micros);
  if (!InTimestampRange(time)) return std::nullopt;
  return time;
}

}  // namespace

absl::StatusOr<absl::Time> ParseTimestamp(std::string_view text) {
  if (const auto time = Scan(text)) return *time;
  return InvalidArgument(
      StrCat("expected an RFC 3339 time such as 2026-01-27T10:00:00.123456Z, got \"",
             Clip(text, 40), text.size() > 40 ? "...\"" : "\""));
}

bool InTimestampRange(absl::Time time) {
  constexpr std::int64_t kFirstSecond = -62135596800;  // 0001-01-01T00:00:00Z
  constexpr std::int64_t kEnd = 253402300800;          // 10000-01-01T00:00:00Z
  return time >= absl::FromUnixSeconds(kFirstSecond) && time < absl::FromUnixSeconds(kEnd);
}

std::string FormatTimestamp(absl::Time time) {
  const absl::TimeZone::CivilInfo civil = absl::UTCTimeZone().At(time);
  const auto& cs = civil.cs;
  const std::int64_t micros = absl::ToInt64Microseconds(civil.subsecond);
  std::string text = absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d", cs.year(), cs.month(),
                                     cs.day(), cs.hour(), cs.minute(), cs.second());
  if (micros % 1000 != 0) {
    absl::StrAppendFormat(&text, ".%06d", micros);
  } else if (micros != 0) {
    absl::StrAppendFormat(&text, ".%03d", micros / 1000);
  }
  text.push_back('Z');
  return text;
}

}  // namespace god33
