#include "tools/god33/visible.h"

#include <catch2/catch.hpp>

namespace god33::cli {
namespace {

TEST_CASE("ordinary text of any script stays as it is") {
  for (const char* text : {"", "plain", "naïve café", "日本語", "😀", "quote \" back\\slash"}) {
    CHECK(Visible(text) == text);
  }
}

TEST_CASE("controls and escape sequences are spelled out") {
  CHECK(Visible("a\nb\rc\td") == "a\\nb\\rc\\td");
  CHECK(Visible("\x1b[31mred\x1b]0;title\x07") == "\\u001b[31mred\\u001b]0;title\\u0007");
  CHECK(Visible(std::string_view("\0\x7f", 2)) == "\\u0000\\u007f");
  CHECK(Visible("\xC2\x9B"
                "2J") == "\\u009b2J");  // CSI of eight bits
}

TEST_CASE("what reorders or hides text is spelled out") {
  CHECK(Visible("\u202Egpj.exe") == "\\u202egpj.exe");
  CHECK(Visible("\u2066x\u2069") == "\\u2066x\\u2069");
  CHECK(Visible("a\u200Bb\uFEFF\u2028") == "a\\u200bb\\ufeff\\u2028");
  CHECK(Visible("\U000E0041") == "\\u{e0041}");
}

TEST_CASE("bytes that are no UTF-8 become replacement characters") {
  CHECK(Visible("a\xFF"
                "b") ==
        "a\uFFFD"
        "b");
  CHECK(Visible("\x9B"
                "31m") == "\uFFFD31m");                         // a bare control of eight bits
  CHECK(Visible("\xC0\x9B") == "\uFFFD\uFFFD");                 // longer than necessary
  CHECK(Visible("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");       // half of a pair
  CHECK(Visible("\xF4\x90\x80\x80").substr(0, 3) == "\uFFFD");  // beyond Unicode
  CHECK(Visible("\xE2\x82") == "\uFFFD\uFFFD");                 // cut off
}

TEST_CASE("making text visible twice changes nothing") {
  const std::string once = Visible("\x1b\n\u202E\xFF");
  CHECK(Visible(once) == once);
}

TEST_CASE("width is what a terminal shows") {
  CHECK(DisplayWidth("abc") == 3);
  CHECK(DisplayWidth("日本") == 4);
  CHECK(DisplayWidth("e\u0301") == 1);
  CHECK(DisplayWidth("😀") == 2);
}

TEST_CASE("text is cut only if it does not fit") {
  CHECK(CutToWidth("abcde", 5) == "abcde");
  CHECK(CutToWidth("abcdef", 5) == "abcd…");
  CHECK(CutToWidth("", 1).empty());
  CHECK(CutToWidth("ab", 1) == "…");
}

TEST_CASE("wide characters are never cut in half") {
  CHECK(CutToWidth("日本語", 6) == "日本語");
  CHECK(CutToWidth("日本語", 5) == "日本…");
  CHECK(CutToWidth("日本語", 4) == "日…");
}

}  // namespace
}  // namespace god33::cli
