#include "services/event-store-api/page_token.h"

#include <catch2/catch.hpp>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "base/error.h"
#include "base/strings.h"
#include "testing/random.h"
#include "unit/printers.h"

namespace god33::api {
namespace {

using testing::Random;

PageToken Sample() {
  return {.log_id = *Uuid::Parse("6f9619ff-8b86-4011-b42d-00c04fc964ff"),
          .fingerprint = "0123456789abcdef",
          .descending = true,
          .position = 4711,
          .total = 10000,
          .total_exact = false};
}

std::string Encoded(std::string_view text) {
  return absl::WebSafeBase64Escape(ToAbsl(text));
}

TEST_CASE("a page token comes back as it was") {
  CHECK(*DecodePageToken(EncodePageToken(Sample())) == Sample());
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Random random(seed);
    const PageToken token{.log_id = random.Id(),
                          .fingerprint = "fedcba9876543210",
                          .descending = random.OneIn(2),
                          .position = random.Between(0, INT64_MAX),
                          .total = random.Between(0, INT64_MAX),
                          .total_exact = random.OneIn(2)};
    const auto decoded = DecodePageToken(EncodePageToken(token));
    CAPTURE(seed);
    REQUIRE(decoded.ok());
    REQUIRE(*decoded == token);
  }
}

TEST_CASE("a page token can stand in a URL as it is") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    PageToken token = Sample();
    token.log_id = random.Id();
    token.position = random.Between(0, INT64_MAX);
    const std::string text = EncodePageToken(token);
    REQUIRE(text.find_first_not_of(
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
            std::string::npos);
  }
}

TEST_CASE("what is no page token is refused, and the field is named") {
  const std::string id = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
  for (const std::string& text :
       {std::string("x"), std::string("not a token"), std::string(10000, 'A'), Encoded(""),
        Encoded("|"), Encoded("||||||"), Encoded("e1|" + id + "|f|a|1|1"),
        Encoded("e2|" + id + "|f|a|1|1|x"), Encoded("e1|" + id + "|f|a|1|1|x|"),
        Encoded("e1|no-id|f|a|1|1|x"), Encoded("e1|" + id + "|f|a|-1|1|x"),
        Encoded("e1|" + id + "|f|a|1|-1|x"), Encoded("e1|" + id + "|f|a|1.5|1|x"),
        Encoded("e1|" + id + "|f|a||1|x"), Encoded("e1|" + id + "|f|a|1 |1|x"),
        Encoded("e1|" + id + "|f|a|9223372036854775808|1|x"),
        EncodeTimeToken({.fingerprint = "f", .unix_micros = 1, .id = Uuid()}),
        EncodePageToken(Sample()) + "AAAA", EncodePageToken(Sample()).substr(0, 40)}) {
    CAPTURE(text);
    const absl::Status status = DecodePageToken(text).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(FieldOf(status) == "page_token");
  }
}

TEST_CASE("a damaged page token is refused or another sound one") {
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    Random random(seed);
    std::string text = EncodePageToken(Sample());
    text[random.Below(text.size())] = static_cast<char>(random.Bits());
    CAPTURE(seed, text);
    const auto decoded = DecodePageToken(text);
    if (!decoded.ok()) continue;
    REQUIRE(decoded->position >= 0);
    REQUIRE(decoded->total >= 0);
  }
}

// The years 0001 to 9999: no row has another time, and PostgreSQL can't hold every one.
constexpr std::int64_t kLeastMicros = -62135596800'000'000;
constexpr std::int64_t kMostMicros = 253402300799'999'999;

TEST_CASE("a time token comes back as it was") {
  for (const std::int64_t micros : {kLeastMicros, std::int64_t{-1}, std::int64_t{0}, kMostMicros}) {
    const TimeToken token{.fingerprint = "0123456789abcdef",
                          .unix_micros = micros,
                          .id = *Uuid::Parse("6f9619ff-8b86-4011-b42d-00c04fc964ff")};
    const auto decoded = DecodeTimeToken(EncodeTimeToken(token));
    REQUIRE(decoded.ok());
    CHECK(decoded->fingerprint == token.fingerprint);
    CHECK(decoded->unix_micros == micros);
    CHECK(decoded->id == token.id);
  }
}

TEST_CASE("a time token of a time that no row can have is refused") {
  for (const std::int64_t micros : {INT64_MIN, kLeastMicros - 1, kMostMicros + 1, INT64_MAX}) {
    CAPTURE(micros);
    const std::string text =
        EncodeTimeToken({.fingerprint = "f", .unix_micros = micros, .id = Uuid()});
    CHECK(FieldOf(DecodeTimeToken(text).status()) == "page_token");
  }
}

TEST_CASE("what is no time token is refused, and the field is named") {
  for (const std::string& text : {std::string("x"), Encoded("t1|f|1|no-id"),
                                  Encoded("t1|f|x|6f9619ff-8b86-4011-b42d-00c04fc964ff"),
                                  Encoded("t1|f|1"), EncodePageToken(Sample())}) {
    CAPTURE(text);
    CHECK(FieldOf(DecodeTimeToken(text).status()) == "page_token");
  }
}

TEST_CASE("a token of causes and effects comes back as it was, and no other is taken for one") {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Random random(seed);
    const CausationToken token{.log_id = random.Id(),
                               .fingerprint = "fedcba9876543210",
                               .head = random.Between(0, INT64_MAX),
                               .depth = random.Between(0, INT64_MAX),
                               .position = random.Between(0, INT64_MAX)};
    CAPTURE(seed);
    const std::string text = EncodeCausationToken(token);
    const auto decoded = DecodeCausationToken(text);
    REQUIRE(decoded.ok());
    REQUIRE(*decoded == token);
    REQUIRE_FALSE(DecodePageToken(text).ok());
  }
  const std::string id = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
  for (const std::string& text :
       {std::string(), std::string("x"), EncodePageToken(Sample()), Encoded("c1|x|f|1|1|1"),
        Encoded("c1|" + id + "|f|-1|1|1"), Encoded("c1|" + id + "|f|1|-1|1"),
        Encoded("c1|" + id + "|f|1|1|"), Encoded("c1|" + id + "|f|1|1"),
        Encoded("c2|" + id + "|f|1|1|1")}) {
    CAPTURE(text);
    CHECK(FieldOf(DecodeCausationToken(text).status()) == "page_token");
  }
}

}  // namespace
}  // namespace god33::api
