#include "json/value.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "testing/json_tree.h"

namespace god33::json {
namespace {

using testing::JsonTree;
using testing::Random;

Value Parsed(std::string_view text) {
  const auto value = Value::Parse(text);
  REQUIRE(value.ok());
  return *value;
}

TEST_CASE("a value knows its kind") {
  CHECK(Parsed("null").kind() == Kind::kNull);
  CHECK(Parsed("null").is_null());
  CHECK(Parsed("true").kind() == Kind::kBool);
  CHECK(Parsed("false").kind() == Kind::kBool);
  CHECK(Parsed("-1.5e3").kind() == Kind::kNumber);
  CHECK(Parsed("0").kind() == Kind::kNumber);
  CHECK(Parsed("\"null\"").kind() == Kind::kString);
  CHECK(Parsed("\"\"").is_string());
  CHECK(Parsed("[]").kind() == Kind::kArray);
  CHECK(Parsed("{}").kind() == Kind::kObject);
  CHECK(Parsed("{}").is_object());
}

TEST_CASE("kinds have names for messages") {
  CHECK(Describe(Kind::kNull) == "null");
  CHECK(Describe(Kind::kBool) == "a boolean");
  CHECK(Describe(Kind::kNumber) == "a number");
  CHECK(Describe(Kind::kString) == "a string");
  CHECK(Describe(Kind::kArray) == "an array");
  CHECK(Describe(Kind::kObject) == "an object");
}

TEST_CASE("a value's text is its own, without the blanks around it") {
  CHECK(Parsed(" \r\n\t[1, 2]\n ").text() == "[1, 2]");
  CHECK(Parsed(" 12 ").text() == "12");
  CHECK(Value::Checked("\n{\"a\" : 1}\n").text() == "{\"a\" : 1}");
}

TEST_CASE("text that is no JSON gives no value") {
  CHECK_FALSE(Value::Parse("").ok());
  CHECK_FALSE(Value::Parse("{").ok());
  CHECK_FALSE(Value::Parse("\"\xFF\"").ok());
}

TEST_CASE("members come in their order, duplicates included, every character kept") {
  const Value object =
      Parsed(R"( { "b" : 1e5 , "a":"\u0000" ,"b":[ 1 , 2 ],"\u0061" : {"x":"}"} , "":null } )");
  std::vector<std::pair<std::string, std::string>> members;
  for (const Member member : object.members()) {
    members.emplace_back(member.raw_key, member.value.text());
  }
  CHECK(members == std::vector<std::pair<std::string, std::string>>{{R"("b")", "1e5"},
                                                                    {R"("a")", R"("\u0000")"},
                                                                    {R"("b")", "[ 1 , 2 ]"},
                                                                    {R"("\u0061")", R"({"x":"}"})"},
                                                                    {R"("")", "null"}});
}

TEST_CASE("elements come in their order") {
  const Value array = Parsed(R"([ 1,"]" , [ ] ,{"a":"["} , null,true , "\"\\" ])");
  std::vector<std::string> elements;
  for (const Value element : array.elements()) elements.emplace_back(element.text());
  CHECK(elements == std::vector<std::string>{"1", R"("]")", "[ ]", R"({"a":"["})", "null", "true",
                                             R"("\"\\")"});
}

TEST_CASE("empty objects and arrays have nothing in them") {
  for (const char* text : {"{}", "{ }", "{\n\t}"}) {
    for ([[maybe_unused]] const Member member : Parsed(text).members()) FAIL("a member");
  }
  for (const char* text : {"[]", "[ ]", "[\n\t]"}) {
    for ([[maybe_unused]] const Value element : Parsed(text).elements()) FAIL("an element");
  }
}

TEST_CASE("of members with one key the last is found") {
  const Value object = Parsed(R"({"a":1,"b":2,"a":3,"\u0062":4})");
  CHECK(object.Find("a")->text() == "3");
  CHECK(object.Find("b")->text() == "4");
  CHECK_FALSE(object.Find("c"));
  CHECK_FALSE(object.Find(""));
  CHECK_FALSE(object.Find("\"a\""));
}

TEST_CASE("a member with the value null is found") {
  const Value object = Parsed(R"({"a":null})");
  REQUIRE(object.Find("a"));
  CHECK(object.Find("a")->is_null());
}

TEST_CASE("keys are compared without their escapes") {
  const Value object = Parsed(R"({"\u0061\/\"\u00e9\ud83d\ude00":1,"\u0000":2})");
  CHECK(object.Find("a/\"\xC3\xA9\xF0\x9F\x98\x80")->text() == "1");
  CHECK(object.Find(std::string_view("\0", 1))->text() == "2");
  for (const Member member : Parsed(R"({"\u0061":1})").members()) {
    CHECK(member.key() == "a");
    CHECK(member.Is("a"));
    CHECK_FALSE(member.Is("\\u0061x"));
    CHECK_FALSE(member.Is("u0061"));
  }
}

TEST_CASE("strings are read without quotes and escapes") {
  CHECK(Parsed(R"("a\"\\\/\b\f\n\r\tz")").ToString() == "a\"\\/\b\f\n\r\tz");
  CHECK(Parsed(R"("\u00e9\u20AC\ud83D\uDe00")").ToString() ==
        "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(Parsed(R"("\u0000")").ToString() == std::string(1, '\0'));
  CHECK(Parsed(R"("\ud800")").ToString() == "\xEF\xBF\xBD");
  CHECK(Parsed(R"("")").ToString().empty());
}

TEST_CASE("booleans are read") {
  CHECK(Parsed("true").ToBool());
  CHECK_FALSE(Parsed("false").ToBool());
}

TEST_CASE("integers are read if they fit and are written as such") {
  CHECK(Parsed("0").ToInt64() == 0);
  CHECK(Parsed("-0").ToInt64() == 0);
  CHECK(Parsed("45000").ToInt64() == 45000);
  CHECK(Parsed("9223372036854775807").ToInt64() == INT64_MAX);
  CHECK(Parsed("-9223372036854775808").ToInt64() == INT64_MIN);
  for (const char* text :
       {"9223372036854775808", "-9223372036854775809", "1.0", "1e2", "0.5", "-0.0",
        "123456789012345678901234567890", "null", "true", "\"1\"", "[1]", "{}"}) {
    CAPTURE(text);
    CHECK(Parsed(text).ToInt64() == std::nullopt);
  }
}

// The value shows exactly what the tree holds.
void Compare(const Value& value, const JsonTree& tree) {
  REQUIRE(static_cast<int>(value.kind()) == static_cast<int>(tree.kind));
  switch (tree.kind) {
    case JsonTree::Kind::kBool:
      REQUIRE(value.ToBool() == tree.truth);
      return;
    case JsonTree::Kind::kString:
      REQUIRE(value.ToString() == testing::Utf8(tree.units));
      return;
    case JsonTree::Kind::kArray: {
      std::size_t i = 0;
      for (const Value element : value.elements()) {
        REQUIRE(i < tree.elements.size());
        Compare(element, tree.elements[i++]);
      }
      REQUIRE(i == tree.elements.size());
      return;
    }
    case JsonTree::Kind::kObject: {
      // The text may have another order, but that of members with one key.
      std::vector<bool> seen(tree.members.size());
      for (const Member member : value.members()) {
        std::size_t i = 0;
        while (i < seen.size() && (seen[i] || testing::Utf8(tree.members[i].key) != member.key()))
          ++i;
        REQUIRE(i < seen.size());
        seen[i] = true;
        Compare(member.value, tree.members[i].value);
      }
      REQUIRE(std::find(seen.begin(), seen.end(), false) == seen.end());
      return;
    }
    default:
      return;
  }
}

// Keys that differ in lone surrogates alone are one key to a reader of UTF-8: left out here.
bool HasAmbiguousKeys(const JsonTree& tree) {
  for (std::size_t i = 0; i < tree.members.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const auto& a = tree.members[i].key;
      const auto& b = tree.members[j].key;
      if (a != b && testing::Utf8(a) == testing::Utf8(b)) return true;
    }
    if (HasAmbiguousKeys(tree.members[i].value)) return true;
  }
  return std::any_of(tree.elements.begin(), tree.elements.end(), HasAmbiguousKeys);
}

TEST_CASE("walking over a text shows the value it was written from") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Random random(seed);
    const JsonTree tree = testing::RandomJson(random, {.depth = 5});
    if (HasAmbiguousKeys(tree)) continue;
    const std::string text = WriteJsonTree(random, tree);
    CAPTURE(seed, text);
    Compare(Parsed(text), tree);
  }
}

}  // namespace
}  // namespace god33::json
