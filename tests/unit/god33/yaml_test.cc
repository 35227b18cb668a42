#include "tools/god33/yaml.h"

#include <yaml-cpp/yaml.h>

#include <catch2/catch.hpp>

#include "absl/status/status.h"

namespace god33::cli {
namespace {

TEST_CASE("numbers stand as they were written") {
  CHECK(
      *JsonToYaml(R"({"a":123456789012345678901234567890,"b":0.10,"c":-0.0,"d":1E+400,"e":-5})") ==
      "a: 123456789012345678901234567890\nb: 0.10\nc: -0.0\nd: 1E+400\ne: -5\n");
}

TEST_CASE("null and booleans are themselves") {
  CHECK(*JsonToYaml(R"({"a":null,"b":true,"c":false})") == "a: null\nb: true\nc: false\n");
}

TEST_CASE("strings that a reader would take for something else are quoted") {
  for (const char* text :
       {"1",  "1e5",        "0x1F", "-1", "1_000", "true", "Yes",  "off",  "NULL", "~",
        "n",  "2026-01-27", "",     " a", "a: b",  "- a",  "#a",   "a #b", "[a]",  "{a}",
        "*a", "&a",         "!a",   "%a", "@a",    "`a`",  "a\nb", ".5",   "="}) {
    std::string json = "{\"k\":\"";
    json += text[0] == 'a' && text[1] == '\n' ? "a\\nb" : text;
    json += "\"}";
    const auto yaml = JsonToYaml(json);
    REQUIRE(yaml.ok());
    CAPTURE(*yaml);
    CHECK(yaml->substr(0, 4) == "k: \"");
    CHECK(YAML::Load(*yaml)["k"].as<std::string>() == text);
  }
}

TEST_CASE("plain words stay plain") {
  CHECK(*JsonToYaml(R"({"type":"agent.letta.task-done_x/y"})") ==
        "type: agent.letta.task-done_x/y\n");
}

TEST_CASE("keys follow the same rules as strings") {
  CHECK(*JsonToYaml(R"({"":1,"n":2,"5":3,"a b":4})") ==
        "\"\": 1\n\"n\": 2\n\"5\": 3\n\"a b\": 4\n");
}

TEST_CASE("of members with one key the last stays, as YAML allows but one") {
  CHECK(*JsonToYaml(R"({"a":1,"b":2,"\u0061":{"c":3}})") == "b: 2\na:\n  c: 3\n");
}

TEST_CASE("nesting is kept, empty containers stand behind their key") {
  CHECK(*JsonToYaml(R"({"a":[],"b":{},"c":[{"d":1},2]})") == "a: []\nb: {}\nc:\n  - d: 1\n  - 2\n");
}

TEST_CASE("unsafe characters are escaped and read back") {
  const auto yaml = JsonToYaml(R"({"k":"\u0000\u001b[31m\u007f\u0085\u202e日"})");
  REQUIRE(yaml.ok());
  for (const char c : *yaml) CHECK((c == '\n' || (c >= ' ' && c < 0x7F)));
  CHECK(YAML::Load(*yaml)["k"].as<std::string>() ==
        std::string("\0\x1b[31m\x7f\xC2\x85\u202E日", 15));
}

TEST_CASE("items make a list when written one after another") {
  const std::string list = *JsonToYamlItem(R"({"a":1,"b":[2]})") + *JsonToYamlItem(R"({"a":3})");
  CHECK(list == "- a: 1\n  b:\n    - 2\n- a: 3\n");
  CHECK(YAML::Load("items:\n" + list)["items"].size() == 2);
}

TEST_CASE("an event with the deepest payload can be written") {
  const std::string deep = std::string(1003, '[') + std::string(1003, ']');
  CHECK(JsonToYaml(deep).ok());
}

TEST_CASE("text that is no JSON is an error") {
  CHECK(JsonToYaml("{").status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK_FALSE(JsonToYaml(std::string(1025, '[') + std::string(1025, ']')).ok());
}

}  // namespace
}  // namespace god33::cli
