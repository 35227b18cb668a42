#include "base/strings.h"

#include <catch2/catch.hpp>
#include <cstdint>

namespace god33 {
namespace {

TEST_CASE("views cross between Abseil and the standard library unchanged") {
  const std::string_view view("a\0b", 3);
  CHECK(ToAbsl(view).data() == view.data());
  CHECK(ToAbsl(view).size() == 3);
  CHECK(ToStd(ToAbsl(view)) == view);
  CHECK(ToStd(ToAbsl({})).empty());
}

TEST_CASE("StrCat joins texts of every kind with numbers") {
  const std::string text = "text";
  const std::string_view view = "view";
  const char* pointer = "pointer";
  CHECK(StrCat() == "");
  CHECK(StrCat(text, "-", view, "-", pointer, "-", absl::string_view("absl")) ==
        "text-view-pointer-absl");
  CHECK(StrCat(7, " ", INT64_MIN, " ", UINT64_MAX, " ", 1.5) ==
        "7 -9223372036854775808 18446744073709551615 1.5");
  CHECK(StrCat(std::string_view("a\0b", 3), std::string(1, '\0')) == std::string("a\0b\0", 4));
  CHECK(StrCat(std::string_view(), "x") == "x");
}

TEST_CASE("StrAppend adds to what is there") {
  std::string text = "a";
  StrAppend(&text, std::string_view("b"), 3, "c");
  CHECK(text == "ab3c");
  StrAppend(&text);
  CHECK(text == "ab3c");
}

TEST_CASE("a clipped text has at most the given bytes, and no part of a character") {
  CHECK(Clip("abcdef", 3) == "abc");
  CHECK(Clip("abc", 3) == "abc");
  CHECK(Clip("abc", 0) == "");
  CHECK(Clip("", 3) == "");
  CHECK(Clip("a\xC3\xA9", 3) == "a\xC3\xA9");
  CHECK(Clip("a\xC3\xA9"
             "b",
             3) == "a\xC3\xA9");
  CHECK(Clip("a\xC3\xA9"
             "b",
             2) == "a");
  for (std::size_t most = 0; most < 4; ++most) CHECK(Clip("\xF0\x9F\x98\x80", most) == "");
  CHECK(Clip("\x80\x80\x80", 2) == "");
}

TEST_CASE("characters are counted, not bytes") {
  CHECK(CountCharacters("") == 0);
  CHECK(CountCharacters("abc") == 3);
  CHECK(CountCharacters("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80") == 4);
}

}  // namespace
}  // namespace god33
