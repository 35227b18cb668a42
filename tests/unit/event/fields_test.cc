#include "event/fields.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/clock.h"
#include "base/strings.h"

namespace god33::event {
namespace {

Fields Of(std::string_view text) {
  return Fields(*json::Value::Parse(text));
}

std::vector<std::pair<std::string, std::string>> RestOf(const Fields& fields) {
  std::vector<std::pair<std::string, std::string>> rest;
  for (const json::Member& member : fields.Rest()) {
    rest.emplace_back(member.key(), member.value.text());
  }
  return rest;
}

using Rest = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("what is taken is gone from the rest, which keeps its order") {
  Fields fields = Of(R"({"c":1,"a":[2],"b":"x"})");
  CHECK(fields.Take("a")->text() == "[2]");
  CHECK(RestOf(fields) == Rest{{"c", "1"}, {"b", "\"x\""}});
  CHECK(fields.Take("c"));
  CHECK(fields.Take("b"));
  CHECK(RestOf(fields).empty());
}

TEST_CASE("looking does not take") {
  Fields fields = Of(R"({"a":1})");
  CHECK(fields.Has("a"));
  CHECK(fields.Peek("a")->text() == "1");
  CHECK(RestOf(fields).size() == 1);
}

TEST_CASE("null counts as absent") {
  Fields fields = Of(R"({"a":null,"b":1,"b":null})");
  for (const char* key : {"a", "b"}) {
    CHECK_FALSE(fields.Has(key));
    CHECK_FALSE(fields.Peek(key));
    CHECK_FALSE(fields.Take(key));
    CHECK_FALSE(fields.TakeString(key));
  }
  CHECK(RestOf(fields).empty());
}

TEST_CASE("of duplicates the last counts") {
  Fields fields = Of(R"({"a":1,"a":null,"a":3})");
  CHECK(fields.Take("a")->text() == "3");
  CHECK(RestOf(fields).empty());
}

TEST_CASE("a string is taken without its escapes, anything else is left") {
  Fields fields = Of(R"({"a":"x\ny","b":7,"c":"","\u0064":"d"})");
  CHECK(fields.TakeString("a") == "x\ny");
  CHECK(fields.TakeString("b") == std::nullopt);
  CHECK(fields.TakeString("c") == "");
  CHECK(fields.TakeString("d") == "d");
  CHECK(fields.TakeString("e") == std::nullopt);
  CHECK(RestOf(fields) == Rest{{"b", "7"}});
}

TEST_CASE("keys that differ in half a UTF-16 pair are different keys") {
  CHECK(RestOf(Of(R"({"\ud800":1,"\udc00":2})")).size() == 2);
}

TEST_CASE("few or many members make no difference") {
  for (const int count : {1, 15, 16, 17, 18, 40}) {
    std::string text = R"({"\u0061":"first")";
    for (int i = 0; i < count; ++i)
      StrAppend(&text, R"(,"k)", i, R"(":)", i, R"(,"k\u0030)", i, R"(":-1)");
    for (int i = 0; i < count; ++i) StrAppend(&text, R"(,"k\u0030)", i, R"(":)", 100 + i);
    text += R"(,"a":"last"})";
    Fields fields = Of(text);
    CHECK(fields.TakeString("a") == "last");
    CHECK(fields.Take("b") == std::nullopt);
    for (int i = 0; i < count; ++i) {
      CHECK(fields.Take(StrCat("k", i))->text() == StrCat(i));
      CHECK(fields.Take(StrCat("k0", i))->text() == StrCat(100 + i));
    }
    CHECK(RestOf(fields).empty());
  }
}

std::string Merged(std::string meta, const std::vector<NewMember>& members) {
  AddToMeta(meta, members);
  REQUIRE((meta.empty() || json::Value::Parse(meta).ok()));
  return meta;
}

TEST_CASE("members are added to an object behind what it has") {
  CHECK(Merged(R"({"a":1})", {{R"("b")", "2"}, {R"("c")", "[3]"}}) == R"({"a":1,"b":2,"c":[3]})");
  CHECK(Merged("{}", {{R"("b")", "2"}}) == R"({"b":2})");
}

TEST_CASE("members may be added to nothing") {
  CHECK(Merged("", {{R"("b\"")", "null"}}) == R"({"b\"":null})");
}

TEST_CASE("adding nothing changes nothing") {
  CHECK(Merged("", {}) == "");
  CHECK(Merged(R"( { "a" : 1e5 } )", {}) == R"( { "a" : 1e5 } )");
}

TEST_CASE("a meta that is no object becomes a member of one") {
  CHECK(Merged("\"text\"", {{R"("b")", "2"}}) == R"({"meta":"text","b":2})");
  CHECK(Merged("[1]", {{R"("meta")", "2"}}) == R"({"meta":[1],"meta_":2})");
}

TEST_CASE("a key that is there stays, and the new one gets an underscore") {
  CHECK(Merged(R"({"a":1})", {{R"("a")", "2"}, {R"("a")", "3"}}) == R"({"a":1,"a_":2,"a__":3})");
  CHECK(Merged(R"({"a":1,"a_":2})", {{R"("a")", "3"}}) == R"({"a":1,"a_":2,"a__":3})");
  CHECK(Merged(R"({"\u0061":1})", {{R"("a")", "2"}}).find("\"a_\":2") != std::string::npos);
}

TEST_CASE("a new key's underscores fill gaps") {
  CHECK(Merged(R"({"a":1,"a__":2,"_":3})",
               {{R"("a")", "4"}, {R"("a")", "5"}, {R"("a_")", "6"}, {R"("_")", "7"}}) ==
        R"({"a":1,"a__":2,"_":3,"a_":4,"a___":5,"a____":6,"__":7})");
}

TEST_CASE("keys that run into each other over and over cost no more than their text") {
  constexpr std::size_t kKeys = 3000;
  std::string meta = "{";
  std::vector<NewMember> members;
  for (std::size_t i = 0; i < kKeys; ++i) {
    const std::string key = "\"k" + std::string(i, '_') + "\"";
    meta += (i == 0 ? "" : ",") + key + ":0";
    members.push_back({key, "1"});
  }
  meta += "}";
  const std::int64_t start = MonotonicNanos();
  AddToMeta(meta, members);
  const std::int64_t added = MonotonicNanos();
  const auto merged = json::Value::Parse(meta);
  const std::int64_t parsed = MonotonicNanos();
  REQUIRE(merged.ok());
  CHECK(merged->Find("k" + std::string(2 * kKeys - 1, '_')).has_value());
  CHECK_FALSE(merged->Find("k" + std::string(2 * kKeys, '_')).has_value());
  // Looking for each free key one by one takes more than 100 times as long as reading the result.
  CHECK(added - start < 30 * (parsed - added));
}

TEST_CASE("what a meta has stays as it was written, duplicates and escapes included") {
  CHECK(Merged(R"({"a":1,"a":2,"\ud800":3,"\udc00":4})", {{R"("b")", "5"}}) ==
        R"({"a":1,"a":2,"\ud800":3,"\udc00":4,"b":5})");
}

TEST_CASE("keys are added as they are written, half a UTF-16 pair included") {
  CHECK(Merged("{}", {{R"("\ud800")", "1"}, {R"("\udc00")", "2"}, {R"("\u0061")", "3"}}) ==
        R"({"\ud800":1,"\udc00":2,"\u0061":3})");
}

TEST_CASE("values are added as they are written, every digit and escape") {
  CHECK(Merged(R"({"n":123456789012345678901234567890})",
               {{R"("m")", R"(["\u0000\ud800",1e400])"}}) ==
        R"({"n":123456789012345678901234567890,"m":["\u0000\ud800",1e400]})");
}

}  // namespace
}  // namespace god33::event
