#include "http/url.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace god33::http {
namespace {

TEST_CASE("percent-encoded bytes are decoded, all others stay") {
  CHECK(*PercentDecode("a%20b%2Fc%2f+") == "a b/c/+");
  CHECK(*PercentDecode("%00%ff") == std::string("\x00\xff", 2));
  CHECK(*PercentDecode("") == "");
}

TEST_CASE("a percent sign without two hexadecimal digits is refused") {
  for (const char* text : {"%", "a%", "%2", "a%2", "%zz", "%2g", "%%41", "% 1"}) {
    CHECK_FALSE(PercentDecode(text).ok());
  }
}

TEST_CASE("a query keeps order and repetitions") {
  const auto query = ParseQuery("b=1&a=2&b=3");
  REQUIRE(query.ok());
  CHECK(*query == Parameters{{"b", "1"}, {"a", "2"}, {"b", "3"}});
}

TEST_CASE("query names and values are decoded after splitting") {
  const auto query = ParseQuery("a%26b=1%3D2&c=d+e%2B&f=g=h");
  REQUIRE(query.ok());
  CHECK(*query == Parameters{{"a&b", "1=2"}, {"c", "d e+"}, {"f", "g=h"}});
}

TEST_CASE("empty pieces of a query are nothing, missing values are empty") {
  CHECK(ParseQuery("")->empty());
  CHECK(*ParseQuery("&&a&b=&") == Parameters{{"a", ""}, {"b", ""}});
}

TEST_CASE("a value without a name is refused") {
  for (const char* query : {"=x", "a=1&=", "=%zz"}) {
    CAPTURE(query);
    CHECK(FieldOf(ParseQuery(query).status()) == "query");
  }
}

TEST_CASE("a query that can't be decoded names the parameter") {
  const auto query = ParseQuery("a=1&limit=%zz");
  CHECK(query.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(FieldOf(query.status()) == "limit");
  CHECK(FieldOf(ParseQuery("%zz=1").status()) == "%zz");
}

}  // namespace
}  // namespace god33::http
