#include "json/text.h"

#include <catch2/catch.hpp>

#include "json/check.h"
#include "testing/json_tree.h"

namespace god33::json {
namespace {

using testing::Random;
using std::string_view_literals::operator""sv;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::string Quoted(std::string_view text) {
  std::string out;
  AppendString(out, text);
  return out;
}

TEST_CASE("escapes become the characters they name") {
  const auto unescape = [](std::string_view text) {
    return Unescape(text, LoneSurrogate::kReplace);
  };
  CHECK(unescape(R"("")").empty());
  CHECK(unescape(R"("plain")") == "plain");
  CHECK(unescape(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(unescape(R"("x\u0041y")") == "xAy");
  CHECK(unescape(R"("\u0000\u007f\u0080\u07FF\u0800\uffff")") ==
        "\0\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF"sv);
  CHECK(unescape(R"("\ud800\udc00\uDBFF\uDFFF")") == "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
  CHECK(unescape(R"("\\u0041")") == "\\u0041");
  CHECK(unescape("\"\xC3\xA9\\n\xC3\xA9\"") == "\xC3\xA9\n\xC3\xA9");
}

TEST_CASE("half a UTF-16 pair is replaced or kept, as asked for") {
  for (const char* text : {R"("\ud800")", R"("\udbff")", R"("\udc00")", R"("\udfff")"}) {
    CAPTURE(text);
    CHECK(Unescape(text, LoneSurrogate::kReplace) == kReplacement);
  }
  CHECK(Unescape(R"("\ud800")", LoneSurrogate::kKeep) == "\xED\xA0\x80");
  CHECK(Unescape(R"("\udfff")", LoneSurrogate::kKeep) == "\xED\xBF\xBF");
  CHECK(Unescape(R"("\ud83d\ude00")", LoneSurrogate::kKeep) == "\xF0\x9F\x98\x80");
}

TEST_CASE("what follows half a pair is not swallowed") {
  const auto keep = [](std::string_view text) { return Unescape(text, LoneSurrogate::kKeep); };
  CHECK(keep(R"("\ud800\ud800\udc00")") == "\xED\xA0\x80\xF0\x90\x80\x80");
  CHECK(keep(R"("\ud800\u0041")") ==
        "\xED\xA0\x80"
        "A");
  CHECK(keep(R"("\ud800x")") ==
        "\xED\xA0\x80"
        "x");
  CHECK(keep(R"("\ud800\n")") == "\xED\xA0\x80\n");
  CHECK(keep(R"("\ud800\\udc00")") == "\xED\xA0\x80\\udc00");
  CHECK(keep(R"("\udc00\ud800")") == "\xED\xB0\x80\xED\xA0\x80");
}

TEST_CASE("strings are written with quotes, and what must be escaped escaped") {
  CHECK(Quoted("") == R"("")");
  CHECK(Quoted("a/b \xC3\xA9\x7F") == "\"a/b \xC3\xA9\x7F\"");
  CHECK(Quoted("\"\\\n\r\t") == R"("\"\\\n\r\t")");
  CHECK(Quoted("\0\x01\b\f\x1F"sv) == R"("\u0000\u0001\u0008\u000c\u001f")");
  CHECK(Quoted("\xF0\x9F\x98\x80") == "\"\xF0\x9F\x98\x80\"");
}

TEST_CASE("a string is appended to what is there") {
  std::string out = "[";
  AppendString(out, "a");
  CHECK(out == R"(["a")");
}

TEST_CASE("bytes that are no UTF-8 are written as U+FFFD, one for each") {
  const std::string r(kReplacement);
  CHECK(Quoted("\xFF") == "\"" + r + "\"");
  CHECK(Quoted("a\x80z") == "\"a" + r + "z\"");
  CHECK(Quoted("\xE2\x82") == "\"" + r + r + "\"");
  CHECK(Quoted("\xE2\x82\xAC\xE2\x82") == "\"\xE2\x82\xAC" + r + r + "\"");
  CHECK(Quoted("\xC0\x80") == "\"" + r + r + "\"");
  CHECK(Quoted("\xED\xA0\x80") == "\"" + r + r + r + "\"");
  CHECK(Quoted("\xC3\"") == "\"" + r + "\\\"\"");
  CHECK(Quoted("\xC3\n\xC3\xA9") == "\"" + r + "\\n\xC3\xA9\"");
}

TEST_CASE("whatever is written is valid JSON, and text comes back as it was") {
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    Random random(seed);
    const bool hostile = random.OneIn(2);
    const std::string text =
        hostile ? random.Bytes(random.Below(20)) : testing::Utf8(testing::RandomUnits(random));
    const std::string quoted = Quoted(text);
    CAPTURE(seed, quoted);
    REQUIRE(Check(quoted).ok());
    const std::string back = Unescape(quoted, LoneSurrogate::kReplace);
    if (!hostile) REQUIRE(back == text);
    // What is valid already is not changed again.
    REQUIRE(Quoted(back) == quoted);
  }
}

TEST_CASE("any escaped text is read as the characters it was written from") {
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    Random random(seed);
    testing::JsonTree tree{.kind = testing::JsonTree::Kind::kString};
    tree.units = testing::RandomUnits(random);
    std::string text = WriteJsonTree(random, tree);
    text = text.substr(text.find('"'), text.rfind('"') - text.find('"') + 1);
    CAPTURE(seed, text);
    REQUIRE(Unescape(text, LoneSurrogate::kReplace) == testing::Utf8(tree.units));
  }
}

TEST_CASE("clean text holds neither NUL nor what is no UTF-8") {
  const std::string r(kReplacement);
  CHECK(CleanText("") == "");
  CHECK(CleanText("plain \xC3\xA9 \xF0\x9F\x98\x80\n\x01") ==
        "plain \xC3\xA9 \xF0\x9F\x98\x80\n\x01");
  CHECK(CleanText("a\0b"sv) == "a" + r + "b");
  CHECK(CleanText("\xFFz\xE2\x82") == r + "z" + r + r);
  CHECK(CleanText("\xE2\x82\xE2\x82\xAC") == r + r + "\xE2\x82\xAC");
}

TEST_CASE("the valid prefix ends before the first byte that is no UTF-8") {
  CHECK(ValidPrefix("") == 0);
  CHECK(ValidPrefix("a\0\xC3\xA9\xF0\x9F\x98\x80"sv) == 8);
  CHECK(ValidPrefix("\xFF") == 0);
  CHECK(ValidPrefix("a\xC3\xA9\xE2\x82") == 3);
  CHECK(ValidPrefix("ab\x80zz") == 2);
}

}  // namespace
}  // namespace god33::json
