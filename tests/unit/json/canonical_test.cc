#include "json/canonical.h"

#include <catch2/catch.hpp>
#include <map>

#include "testing/json_tree.h"

namespace god33::json {
namespace {

using testing::JsonTree;
using testing::Random;

std::string Canonical(std::string_view text, Nulls nulls = Nulls::kKeep) {
  const auto value = Value::Parse(text);
  REQUIRE(value.ok());
  std::string out;
  AppendCanonical(out, *value, nulls);
  return out;
}

// All texts of one group are the same value, and no other group's.
void CheckGroups(const std::vector<std::vector<const char*>>& groups) {
  std::map<std::string, std::size_t> group_of;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const char* text : groups[i]) {
      CAPTURE(text);
      CHECK(Canonical(text) == Canonical(groups[i].front()));
    }
    CAPTURE(groups[i].front());
    CHECK(group_of.emplace(Canonical(groups[i].front()), i).second);
  }
}

TEST_CASE("numbers are the same however they are written, and every digit counts") {
  CheckGroups({
      {"100", "1e2", "1E2", "1e+2", "1e02", "100.0", "100.00e0", "10e1", "0.1e3", "1000e-1",
       "0.000000100e9"},
      {"-100", "-1e2", "-100.0"},
      {"0", "-0", "0.0", "0e5", "-0.00E-7", "0e99999999999999999999", "-0.0E-99999999999999999999"},
      {"1"},
      {"0.1", "1e-1", "0.10", "10e-2"},
      {"0.10000000000000000000000000000001"},
      {"123456789012345678901234567890", "1.2345678901234567890123456789e29"},
      {"123456789012345678901234567891"},
      {"9223372036854775807", "9223372036854775807.0"},
      {"9223372036854775808"},
      {"9223372036854775807.5"},
      {"1e400", "10e399", "0.1e401"},
      {"1e401"},
      {"1e-400"},
      {"1e1000000000000000000", "10e999999999999999999", "1e+0000001000000000000000000"},
      {"1e-1000000000000000000"},
      // 2^60, where exponents begin to be beyond arithmetic.
      {"1e1152921504606846976", "10e1152921504606846975", "0.1e1152921504606846977"},
      {"1e1152921504606846977"},
      {"1e-1152921504606846976", "0.1e-1152921504606846975", "10e-1152921504606846977"},
      {"1e99999999999999999999", "1E+99999999999999999999"},
      {"1e99999999999999999998"},
      {"-1e99999999999999999999"},
      {"1e-99999999999999999999"},
  });
}

TEST_CASE("strings are the same however they are escaped") {
  CheckGroups({
      {R"("a")", R"("\u0061")"},
      {R"("/")", R"("\/")", R"("\u002f")", R"("\u002F")"},
      {R"("\n")", R"("\u000a")"},
      {R"("\"")", R"("\u0022")"},
      {"\"\xC3\xA9\"", R"("\u00e9")", R"("\u00E9")"},
      {"\"\xF0\x9F\x98\x80\"", R"("\ud83d\ude00")"},
      {R"("\u0000")"},
      {R"("")"},
      {R"("\ud800")", R"("\uD800")"},
      {R"("\ud801")"},
      {R"("\udc00")"},
      {R"("\ufffd")", "\"\xEF\xBF\xBD\""},
      {R"("\\u0061")"},
      {R"("A")"},
      {"\"e\xCC\x81\""},  // another way to write an accent is another text
  });
}

TEST_CASE("objects are the same in any order of members, but those of one key keep theirs") {
  CheckGroups({
      {R"({"a":1,"b":2})", R"({"b":2,"a":1})", " { \"b\" : 2.0 ,\n\"\\u0061\" : 1e0 } "},
      {R"({"a":1,"b":2,"a":3})", R"({"a":1,"a":3,"b":2})", R"({"b":2,"a":1,"\u0061":3})"},
      {R"({"a":3,"b":2,"a":1})"},
      {R"({"a":3,"b":2})"},
      {R"({"a":1,"a":1})"},
      {R"({"a":1})"},
      {R"({"a":null})"},
      {R"({"":1})"},
      {R"({})", "{ }"},
      {R"({"\ud800":1,"\ud801":2})", R"({"\ud801":2,"\ud800":1})"},
      {R"({"\ud801":1,"\ud800":2})"},
  });
}

TEST_CASE("many members of one key keep their order, too") {
  std::string blocks_k, blocks_j, mixed, reversed;
  for (int i = 0; i < 60; ++i) {
    const std::string k = ",\"k\":" + std::to_string(i);
    const std::string j = ",\"j\":" + std::to_string(i);
    blocks_k += k;
    blocks_j += j;
    mixed += j + k;
    reversed = j + k + reversed;
  }
  const auto object = [](const std::string& members) { return "{" + members.substr(1) + "}"; };
  CHECK(Canonical(object(mixed)) == Canonical(object(blocks_k + blocks_j)));
  CHECK(Canonical(object(mixed)) != Canonical(object(reversed)));
}

TEST_CASE("arrays keep their order") {
  CheckGroups({{"[1,2]", "[ 1.0 , 2 ]"},
               {"[2,1]"},
               {"[[1],2]"},
               {"[[1,2]]"},
               {"[1,2,null]"},
               {"[]", "[ ]"},
               {"[[]]"},
               {"[{}]"},
               {"[12]"}});
}

TEST_CASE("values of different kinds are different") {
  CheckGroups({{"null"},
               {"true"},
               {"false"},
               {"0"},
               {"\"0\""},
               {"\"\""},
               {"[]"},
               {"{}"},
               {"\"null\""},
               {"\"true\""},
               {"[null]"},
               {"[0]"},
               {"{\"0\":0}"},
               {"[\"0\",0]"}});
}

TEST_CASE("no text can imitate structure") {
  CheckGroups({{R"(["a","b"])"},
               {R"(["a\",\"b"])"},
               {R"(["as1:b"])"},
               {R"(["a]"])"},
               {R"({"a":"b","c":"d"})"},
               {R"({"a":"bs1:cs1:d"})"},
               {R"({"as1:b":"c"})"},
               {R"([1,2])"},
               {R"(["n1:1n1:2"])"}});
}

TEST_CASE("members with the value null count as absent when asked for, on every level") {
  const auto drop = [](std::string_view text) { return Canonical(text, Nulls::kDrop); };
  CHECK(drop(R"({"a":null})") == drop("{}"));
  CHECK(drop(R"({"a":1,"b":null})") == drop(R"({"a":1})"));
  CHECK(drop(R"({"a":{"b":[{"c":null}]}})") == drop(R"({"a":{"b":[{}]}})"));
  CHECK(drop("[null]") != drop("[]"));
  CHECK(drop("null") != drop("{}"));
  CHECK(drop(R"({"a":""})") != drop("{}"));
  CHECK(Canonical(R"({"a":null})") != Canonical("{}"));
}

TEST_CASE("two texts of one value have one canonical form") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    const JsonTree tree = testing::RandomJson(random, {.depth = 5});
    const std::string a = WriteJsonTree(random, tree);
    const std::string b = WriteJsonTree(random, tree);
    CAPTURE(seed, a, b);
    REQUIRE(Canonical(a) == Canonical(b));
  }
}

TEST_CASE("texts of different values have different canonical forms") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    const JsonTree tree = testing::RandomJson(random, {.depth = 5});
    JsonTree other = tree;
    testing::MutateJson(random, other);
    REQUIRE_FALSE(testing::SameJson(tree, other));
    const std::string a = WriteJsonTree(random, tree);
    const std::string b = WriteJsonTree(random, other);
    CAPTURE(seed, a, b);
    REQUIRE(Canonical(a) != Canonical(b));
  }
}

TEST_CASE("canonical forms are equal exactly for equal values, over many small ones") {
  Random random(1);
  std::map<std::string, JsonTree> by_form;
  for (int i = 0; i < 5000; ++i) {
    const JsonTree tree = testing::RandomJson(random, {.depth = 1});
    const auto [entry, added] = by_form.emplace(Canonical(WriteJsonTree(random, tree)), tree);
    CAPTURE(i, entry->first);
    REQUIRE(testing::SameJson(entry->second, tree));
  }
}

TEST_CASE("the deepest nesting has a canonical form") {
  std::string arrays(1000, '[');
  arrays.append(1000, ']');
  std::string objects;
  for (int i = 0; i < 1000; ++i) objects.append("{\"a\":");
  objects.append("1");
  objects.append(1000, '}');
  CHECK(Canonical(arrays) != Canonical(objects));
}

// Looking for each level's end anew would take minutes here, and one message could do it.
TEST_CASE("a large text has a canonical form in time, however deep it is nested") {
  std::string text;
  for (int i = 0; i < 999; ++i) text.append(i % 2 == 0 ? "{\"a\":" : "[");
  text.append("\"").append(std::string(8 << 20, 'x')).append("\"");
  for (int i = 998; i >= 0; --i) text.append(i % 2 == 0 ? "}" : "]");
  CHECK(Canonical(text).size() > std::size_t{8 << 20});
}

}  // namespace
}  // namespace god33::json
