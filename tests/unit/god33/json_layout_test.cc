#include "tools/god33/json_layout.h"

#include <catch2/catch.hpp>

namespace god33::cli {
namespace {

TEST_CASE("compact JSON is one line and keeps every token") {
  CHECK(CompactJson("{ \"a\" : [ 1.50 ,\n\t2e+3 ] ,\r\n\"b c\":\"x \\\" y\" }", Unsafe::kKeep) ==
        "{\"a\":[1.50,2e+3],\"b c\":\"x \\\" y\"}");
}

TEST_CASE("indented JSON keeps every token") {
  CHECK(IndentJson("{\"n\":123456789012345678901234567890,\"l\":[1,{\"s\":\"a,b:{}\"}]}",
                   Unsafe::kKeep) ==
        "{\n"
        "  \"n\": 123456789012345678901234567890,\n"
        "  \"l\": [\n"
        "    1,\n"
        "    {\n"
        "      \"s\": \"a,b:{}\"\n"
        "    }\n"
        "  ]\n"
        "}");
}

TEST_CASE("empty containers stay on their line") {
  CHECK(IndentJson("{\"a\":{ },\"b\":[\n]}", Unsafe::kKeep) == "{\n  \"a\": {},\n  \"b\": []\n}");
  CHECK(IndentJson("[]", Unsafe::kKeep) == "[]");
  CHECK(IndentJson("7", Unsafe::kKeep) == "7");
}

TEST_CASE("indentation starts at the given level") {
  CHECK(IndentJson("{\"a\":1}", Unsafe::kKeep, 2) == "{\n      \"a\": 1\n    }");
}

TEST_CASE("for a terminal unsafe characters become escapes of the same value") {
  CHECK(IndentJson("\"\u202Ex\x7F\xC2\x9B\"", Unsafe::kEscape) == "\"\\u202ex\\u007f\\u009b\"");
  CHECK(CompactJson("\"\U000E0041\"", Unsafe::kEscape) == "\"\\udb40\\udc41\"");
  CHECK(IndentJson("\"\u202Ex\"", Unsafe::kKeep) == "\"\u202Ex\"");
}

TEST_CASE("text that is no JSON does no harm") {
  for (const char* text : {"", "}}}]", "{\"a", "\"\\", "[[[", "\"a\\"}) {
    CHECK_NOTHROW(IndentJson(text, Unsafe::kEscape));
    CHECK_NOTHROW(CompactJson(text, Unsafe::kEscape));
  }
}

}  // namespace
}  // namespace god33::cli
