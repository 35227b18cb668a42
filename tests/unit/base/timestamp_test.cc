#include "base/timestamp.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <optional>

#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "base/error.h"
#include "testing/random.h"

namespace god33 {
namespace {

using testing::Random;

constexpr std::int64_t kLeastMicros = -62135596800'000'000;  // 0001-01-01T00:00:00Z
constexpr std::int64_t kMostMicros = 253402300799'999'999;   // 9999-12-31T23:59:59.999999Z

std::optional<std::int64_t> Micros(std::string_view text) {
  const auto time = ParseTimestamp(text);
  if (!time.ok()) return std::nullopt;
  return absl::ToUnixMicros(*time);
}

TEST_CASE("RFC 3339 instants are read") {
  const std::int64_t ten = 1769508000'000'000;
  CHECK(Micros("2026-01-27T10:00:00Z") == ten);
  CHECK(Micros("2026-01-27t10:00:00z") == ten);
  CHECK(Micros("2026-01-27T10:00:00+00:00") == ten);
  CHECK(Micros("2026-01-27T10:00:00-00:00") == ten);
  CHECK(Micros("2026-01-27T15:30:00+05:30") == ten);
  CHECK(Micros("2026-01-26T23:15:00-10:45") == ten);
  CHECK(Micros("1969-12-31T23:59:59.999999Z") == -1);
  CHECK(Micros("1900-03-01T00:00:00Z") == -2203891200'000'000);
  CHECK(Micros("2024-02-29T12:00:00Z") == 1709208000'000'000);
  CHECK(Micros("0001-01-01T00:00:00Z") == kLeastMicros);
  CHECK(Micros("9999-12-31T23:59:59.999999Z") == kMostMicros);
}

TEST_CASE("what producers on Bloodbank send beyond the RFC is read") {
  const std::int64_t ten = 1769508000'000'000;
  CHECK(Micros("2026-01-27 10:00:00Z") == ten);
  CHECK(Micros("2026-01-27T10:00:00") == ten);
  CHECK(Micros("2026-01-27 10:00:00.123456") == ten + 123456);
}

TEST_CASE("fraction digits count up to microseconds, and finer ones are cut") {
  const std::int64_t ten = 1769508000'000'000;
  CHECK(Micros("2026-01-27T10:00:00.1Z") == ten + 100000);
  CHECK(Micros("2026-01-27T10:00:00.12Z") == ten + 120000);
  CHECK(Micros("2026-01-27T10:00:00.123Z") == ten + 123000);
  CHECK(Micros("2026-01-27T10:00:00.000001Z") == ten + 1);
  CHECK(Micros("2026-01-27T10:00:00.123456+00:00") == ten + 123456);
  CHECK(Micros("2026-01-27T10:00:00.1234569Z") == ten + 123456);
  CHECK(Micros("2026-01-27T10:00:00.999999999999999999999999999999Z") == ten + 999999);
  CHECK(Micros("2026-01-27T10:00:00.0000000Z") == ten);
}

TEST_CASE("a leap second is the next minute's start") {
  CHECK(Micros("2016-12-31T23:59:60Z") == 1483228800'000'000);
  CHECK(Micros("2016-12-31T18:59:60.25-05:00") == 1483228800'250'000);
  CHECK(Micros("9999-12-31T23:59:60Z") == std::nullopt);
}

TEST_CASE("the year 1 and the year 9999 end where UTC says so") {
  CHECK(Micros("0001-01-01T01:00:00+01:00") == kLeastMicros);
  CHECK(Micros("0001-01-01T00:59:59+01:00") == std::nullopt);
  CHECK(Micros("9999-12-31T18:59:59.999999-05:00") == kMostMicros);
  CHECK(Micros("9999-12-31T19:00:00-05:00") == std::nullopt);
  CHECK(Micros("0000-12-31T23:59:59Z") == std::nullopt);
  CHECK(Micros("0000-12-31T23:59:59-01:00") == std::nullopt);
}

TEST_CASE("times that a timestamp can't write are told apart") {
  CHECK(InTimestampRange(absl::FromUnixMicros(kLeastMicros)));
  CHECK(InTimestampRange(absl::FromUnixMicros(kMostMicros)));
  CHECK_FALSE(InTimestampRange(absl::FromUnixMicros(kLeastMicros - 1)));
  CHECK_FALSE(InTimestampRange(absl::FromUnixMicros(kMostMicros + 1)));
  CHECK_FALSE(InTimestampRange(absl::InfiniteFuture()));
  CHECK_FALSE(InTimestampRange(absl::InfinitePast()));
}

TEST_CASE("other texts are no timestamps") {
  for (const char* text : {"",
                           "now",
                           "2026",
                           "2026-01",
                           "2026-01-27",
                           "2026-01-27T",
                           "2026-01-27T10",
                           "2026-01-27T10:00",
                           "2026-01-27T10:00Z",
                           "2026-01-27T10:00:0Z",
                           "2026-01-27T10:00:00.Z",
                           "2026-01-27T10:00:00.",
                           "2026-01-27T10:00:00ZZ",
                           "2026-01-27T10:00:00Z ",
                           " 2026-01-27T10:00:00Z",
                           "2026-01-27T10:00:00 Z",
                           "2026-01-27T10:00:00+",
                           "2026-01-27T10:00:00+01",
                           "2026-01-27T10:00:00+01:",
                           "2026-01-27T10:00:00+1:00",
                           "2026-01-27T10:00:00+24:00",
                           "2026-01-27T10:00:00+01:60",
                           "2026-01-27T10:00:00Z+01:00",
                           "2026-1-27T10:00:00Z",
                           "26-01-27T10:00:00Z",
                           "+2026-01-27T10:00:00Z",
                           "-2026-01-27T10:00:00Z",
                           "12026-01-27T10:00:00Z",
                           "2026/01/27T10:00:00Z",
                           "2026-01-27X10:00:00Z",
                           "2026-01-27T24:00:00Z",
                           "2026-01-27T10:60:00Z",
                           "2026-01-27T10:00:61Z",
                           "2026-00-27T10:00:00Z",
                           "2026-13-27T10:00:00Z",
                           "2026-01-00T10:00:00Z",
                           "2026-01-32T10:00:00Z",
                           "2026-04-31T10:00:00Z",
                           "2026-02-29T10:00:00Z",
                           "1900-02-29T10:00:00Z",
                           "20260127T100000Z",
                           "1769508000",
                           "2026-01-27T10:00:00.-1Z",
                           "2026-01-27T10:00:00.1.2Z",
                           "2026-01-2\xC3T10:00:00Z"}) {
    CAPTURE(text);
    CHECK(Micros(text) == std::nullopt);
  }
  CHECK(Micros(std::string_view("2026-01-27T10:00:00Z\0", 21)) == std::nullopt);
}

TEST_CASE("a timestamp error says what was expected and quotes what came") {
  const absl::Status status = ParseTimestamp("tomorrow").status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(MessageOf(status).find("RFC 3339") != std::string_view::npos);
  CHECK(MessageOf(status).find("\"tomorrow\"") != std::string_view::npos);
}

TEST_CASE("a timestamp error quotes a long text in part, never half a character") {
  // 39 letters, then two-byte characters: a cut at 40 bytes would fall inside one.
  std::string text(39, 'x');
  for (int i = 0; i < 200; ++i) text.append("\xC3\xA9");
  const std::string message(MessageOf(ParseTimestamp(text).status()));
  CAPTURE(message);
  CHECK(message.size() < 200);
  for (std::size_t at = message.find('\xC3'); at != std::string::npos;
       at = message.find('\xC3', at + 1)) {
    CHECK(message.substr(at, 2) == "\xC3\xA9");
  }
}

TEST_CASE("a time is written in UTC with the shortest exact fraction") {
  const absl::Time ten = absl::FromUnixSeconds(1769508000);
  CHECK(FormatTimestamp(ten) == "2026-01-27T10:00:00Z");
  CHECK(FormatTimestamp(ten + absl::Milliseconds(500)) == "2026-01-27T10:00:00.500Z");
  CHECK(FormatTimestamp(ten + absl::Microseconds(123456)) == "2026-01-27T10:00:00.123456Z");
  CHECK(FormatTimestamp(ten + absl::Microseconds(1)) == "2026-01-27T10:00:00.000001Z");
  CHECK(FormatTimestamp(ten + absl::Nanoseconds(999)) == "2026-01-27T10:00:00Z");
  CHECK(FormatTimestamp(ten + absl::Nanoseconds(1'999)) == "2026-01-27T10:00:00.000001Z");
  CHECK(FormatTimestamp(absl::FromUnixMicros(-1)) == "1969-12-31T23:59:59.999999Z");
  CHECK(FormatTimestamp(absl::FromUnixMicros(kLeastMicros)) == "0001-01-01T00:00:00Z");
  CHECK(FormatTimestamp(absl::FromUnixMicros(kMostMicros)) == "9999-12-31T23:59:59.999999Z");
}

TEST_CASE("every time of the years 1 to 9999 is read back from its text") {
  static constexpr std::int64_t kUnits[] = {1, 1'000, 1'000'000, 60'000'000, 86'400'000'000};
  Random random(1);
  for (int i = 0; i < 20000; ++i) {
    const std::int64_t unit = random.Pick(kUnits);
    const std::int64_t micros = random.Between(kLeastMicros / unit, kMostMicros / unit) * unit;
    const std::string text = FormatTimestamp(absl::FromUnixMicros(micros));
    CAPTURE(micros, text);
    REQUIRE(Micros(text) == micros);
    REQUIRE((text.size() == 20 || text.size() == 24 || text.size() == 27));
  }
}

TEST_CASE("an offset moves the instant, not the day it names") {
  Random random(2);
  for (int i = 0; i < 5000; ++i) {
    const std::int64_t seconds = random.Between(-62000000000, 253000000000);
    const auto offset = static_cast<int>(random.Between(-(23 * 60 + 59), 23 * 60 + 59));
    const absl::CivilSecond local =
        absl::ToCivilSecond(absl::FromUnixSeconds(seconds + offset * 60), absl::UTCTimeZone());
    const int size = offset < 0 ? -offset : offset;
    const std::string text = absl::StrFormat(
        "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", local.year(), local.month(), local.day(),
        local.hour(), local.minute(), local.second(), offset < 0 ? '-' : '+', size / 60, size % 60);
    CAPTURE(text);
    REQUIRE(Micros(text) == seconds * 1'000'000);
  }
}

}  // namespace
}  // namespace god33
