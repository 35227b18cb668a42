#include "json/check.h"

#include <simdjson.h>

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"
#include "json/value.h"
#include "testing/json_tree.h"

namespace god33::json {
namespace {

using testing::Random;

// `levels` arrays or objects around a number.
std::string Nested(std::size_t levels, std::string_view open, std::string_view close) {
  std::string text;
  for (std::size_t i = 0; i < levels; ++i) text.append(open);
  text.append("1");
  for (std::size_t i = 0; i < levels; ++i) text.append(close);
  return text;
}

TEST_CASE("RFC 8259 values are accepted") {
  for (const char* text : {"null",
                           "true",
                           "false",
                           "0",
                           "-0",
                           "1",
                           "-1",
                           "10",
                           "0.5",
                           "-0.0",
                           "1.50",
                           "1e5",
                           "1E5",
                           "1e+5",
                           "1e-5",
                           "1.5e05",
                           "0e0",
                           "123456789012345678901234567890",
                           "1e400",
                           "-1e-99999999999999999999",
                           R"("")",
                           R"("a")",
                           R"("\"\\\/\b\f\n\r\t")",
                           R"("\u0000")",
                           R"("\u00e9\u00E9")",
                           "\"\x7F\"",
                           R"("\ud83d\ude00")",
                           R"("\ud800")",
                           R"("\udc00\ud800")",
                           "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
                           "\"\xEF\xBF\xBF\"",
                           "[]",
                           "[ ]",
                           "[1]",
                           "[1,2]",
                           "[[],[[]]]",
                           "{}",
                           "{ }",
                           R"({"a":1})",
                           R"({"a":1,"a":2})",
                           R"({"":{}})",
                           R"({"a":[{"b":null}]})",
                           " \t\r\n1\n",
                           " [ 1 , 2 ] ",
                           " { \"a\" : 1 , \"b\" : [ ] } "}) {
    CAPTURE(text);
    CHECK(Check(text).ok());
  }
}

TEST_CASE("what RFC 8259 does not allow is refused") {
  for (const char* text : {"",
                           " ",
                           "\n",
                           "nul",
                           "nulll",
                           "Null",
                           "NULL",
                           "tru",
                           "truefalse",
                           "True",
                           "undefined",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "+1",
                           "-",
                           "--1",
                           "01",
                           "-01",
                           "00",
                           "1.",
                           ".5",
                           "-.5",
                           "1.e5",
                           "1e",
                           "1e+",
                           "1e5.5",
                           "1ee5",
                           "0x10",
                           "1_000",
                           "1,000",
                           "1 2",
                           "1,",
                           "'a'",
                           "a",
                           "\"",
                           "\"a",
                           "\"a\\\"",
                           "\"\\",
                           "\"\\x41\"",
                           "\"\\'\"",
                           "\"\\u\"",
                           "\"\\u12\"",
                           "\"\\u123g\"",
                           "\"\\u{1F600}\"",
                           "\"\\U0041\"",
                           "\"\n\"",
                           "\"\t\"",
                           "\"\x01\"",
                           "\"\x1F\"",
                           "[",
                           "]",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,1]",
                           "[,]",
                           "[1 2]",
                           "[1;2]",
                           "[1}",
                           "[1]]",
                           "[[1]",
                           "{",
                           "}",
                           "{1:2}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1",
                           "{\"a\":1,",
                           "{\"a\":1,}",
                           "{,}",
                           "{\"a\" 1}",
                           "{\"a\"::1}",
                           "{\"a\",1}",
                           "{a:1}",
                           "{'a':1}",
                           "{\"a\":1]",
                           "{\"a\":1}}",
                           "{\"a\":1 \"b\":2}",
                           "{}{}",
                           "[][]",
                           "// c\n1",
                           "/* c */1",
                           "[1 // c\n]",
                           "# c\n1",
                           "\xEF\xBB\xBF"
                           "1",
                           "1\x0B",
                           "\x0C"
                           "1",
                           "\xC2\xA0"
                           "1"}) {
    CAPTURE(text);
    const absl::Status status = Check(text);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("NUL bytes are refused wherever they are") {
  for (const std::string_view text :
       {std::string_view("\0", 1), std::string_view("1\0", 2),
        std::string_view("\0"
                         "1",
                         2),
        std::string_view("\"\0\"", 3), std::string_view("[\0]", 3), std::string_view("{}\0", 3)}) {
    CHECK_FALSE(Check(text).ok());
  }
}

TEST_CASE("text that is not UTF-8 is refused") {
  for (const char* text :
       {"\"\x80\"", "\"\xBF\"", "\"\xC3\"", "\"\xC3(\"", "\"\xC0\x80\"", "\"\xC1\xBF\"",
        "\"\xE0\x80\x80\"", "\"\xE2\x82\"", "\"\xED\xA0\x80\"", "\"\xED\xBF\xBF\"",
        "\"\xF0\x80\x80\x80\"", "\"\xF0\x9F\x98\"", "\"\xF4\x90\x80\x80\"",
        "\"\xF8\x88\x80\x80\x80\"", "\"\xFE\"", "\"\xFF\"", "{\"\xFF\":1}"}) {
    CAPTURE(text);
    CHECK_FALSE(Check(text).ok());
  }
}

TEST_CASE("a thousand levels of nesting are accepted, one more is not") {
  CHECK(kMaxDepth == 1000);
  CHECK(Check(Nested(1000, "[", "]")).ok());
  CHECK(Check(Nested(1000, "{\"a\":", "}")).ok());
  CHECK(Check(Nested(500, "[{\"a\":", "}]")).ok());
  CHECK_FALSE(Check(Nested(1001, "[", "]")).ok());
  CHECK_FALSE(Check(Nested(1001, "{\"a\":", "}")).ok());
  CHECK_FALSE(Check(std::string(1001, '[') + std::string(1001, ']')).ok());
}

TEST_CASE("another bound on nesting may be asked for, within the utmost") {
  CHECK(Check(Nested(3, "[", "]"), 3).ok());
  CHECK_FALSE(Check(Nested(4, "[", "]"), 3).ok());
  CHECK(Check("1", 0).ok());
  CHECK_FALSE(Check("[]", 0).ok());
  CHECK(Check(Nested(kUtmostDepth, "[", "]"), kUtmostDepth).ok());
  CHECK_FALSE(Check(Nested(kUtmostDepth + 1, "[", "]"), SIZE_MAX).ok());
}

TEST_CASE("nesting that has ended does not count") {
  std::string text = "[";
  for (int i = 0; i < 2000; ++i) text += "[[]],{\"a\":{}},";
  CHECK(Check(text + "1]").ok());
}

TEST_CASE("a million open brackets are refused without recursion") {
  CHECK_FALSE(Check(std::string(1'000'000, '[')).ok());
  std::string objects;
  for (int i = 0; i < 200'000; ++i) objects += "{\"a\":";
  CHECK_FALSE(Check(objects).ok());
}

TEST_CASE("an error tells the byte and what was expected there") {
  const auto message = [](std::string_view text) { return std::string(MessageOf(Check(text))); };
  using Catch::Contains;
  CHECK_THAT(message(""), Contains("at byte 0: ") && Contains("a value"));
  CHECK_THAT(message("{\"a\":1,}"), Contains("at byte 7: ") && Contains("key"));
  CHECK_THAT(message("{\"a\" 1}"), Contains("at byte 5: ") && Contains("':'"));
  CHECK_THAT(message("[1 2]"), Contains("at byte 3: ") && Contains("','") && Contains("']'"));
  CHECK_THAT(message("{\"a\":1]"), Contains("at byte 6: ") && Contains("'}'"));
  CHECK_THAT(message("1 2"), Contains("at byte 2: ") && Contains("end"));
  CHECK_THAT(message("[1.x]"), Contains("at byte 3: ") && Contains("digit"));
  CHECK_THAT(message("\"a\nb\""), Contains("at byte 2: ") && Contains("escaped"));
  CHECK_THAT(message("\"abc"), Contains("at byte 4: ") && Contains("quote"));
  CHECK_THAT(message("\"\\u12x4\""), Contains("at byte 5: ") && Contains("hexadecimal"));
  CHECK_THAT(message("[\"\\x\"]"), Contains("at byte 3: ") && Contains("backslash"));
  CHECK_THAT(message(Nested(1001, "[", "]")), Contains("at byte 1000: ") && Contains("1000"));
  CHECK_THAT(message("\"ab\xC3\xA9\xFFz\""), Contains("at byte 5") && Contains("UTF-8"));
}

TEST_CASE("every text of a value is accepted") {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Random random(seed);
    const std::string text = WriteJsonTree(random, testing::RandomJson(random, {.depth = 6}));
    CAPTURE(seed, text);
    REQUIRE(Check(text).ok());
  }
}

// simdjson reads values, too, so it refuses numbers that no double holds and lone surrogates.
bool KnowsBetter(simdjson::error_code error) {
  return error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR;
}

TEST_CASE("damaged texts are accepted and refused as simdjson does") {
  static constexpr std::string_view kBytes = "{}[]\",:\\u0123456789aeEtfnr+-. \n\t\x01\xC3\xFF";
  simdjson::dom::parser parser;
  int accepted = 0;
  int refused = 0;
  for (std::uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed);
    std::string text = WriteJsonTree(random, testing::RandomJson(random, {.depth = 2}));
    for (std::size_t damage = random.Below(3); damage > 0 && !text.empty(); --damage) {
      const std::size_t at = random.Below(text.size());
      switch (random.Below(3)) {
        case 0:
          text[at] = random.Pick(kBytes);
          break;
        case 1:
          text.erase(at, 1 + random.Below(3));
          break;
        default:
          text.insert(at, 1, random.Pick(kBytes));
      }
    }
    const simdjson::error_code error = parser.parse(text).error();
    const bool ok = Check(text).ok();
    CAPTURE(seed, text, error);
    if (error == simdjson::SUCCESS) {
      REQUIRE(ok);
    } else if (!KnowsBetter(error)) {
      REQUIRE_FALSE(ok);
    }
    ++(ok ? accepted : refused);
  }
  CHECK(accepted > 5000);
  CHECK(refused > 5000);
}

}  // namespace
}  // namespace god33::json
