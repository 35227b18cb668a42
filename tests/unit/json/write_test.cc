#include "json/write.h"

#include <catch2/catch.hpp>
#include <cstdint>

#include "json/value.h"

namespace god33::json {
namespace {

TEST_CASE("commas and colons come by themselves") {
  std::string text;
  Writer writer(text);
  writer.BeginObject();
  writer.Key("a");
  writer.Int(1);
  writer.Key("b");
  writer.BeginArray();
  writer.String("x");
  writer.Bool(true);
  writer.Null();
  writer.BeginObject();
  writer.EndObject();
  writer.BeginArray();
  writer.EndArray();
  writer.Raw("1e5");
  writer.EndArray();
  writer.Key("c");
  writer.BeginObject();
  writer.Key("d");
  writer.Bool(false);
  writer.EndObject();
  writer.EndObject();
  CHECK(text == R"({"a":1,"b":["x",true,null,{},[],1e5],"c":{"d":false}})");
}

TEST_CASE("keys and strings are escaped") {
  std::string text;
  Writer writer(text);
  writer.BeginObject();
  writer.Key("a\"\n");
  writer.String(std::string_view("\\\0\xFF", 3));
  writer.EndObject();
  CHECK(text == "{\"a\\\"\\n\":\"\\\\\\u0000\xEF\xBF\xBD\"}");
  CHECK(Value::Parse(text).ok());
}

TEST_CASE("keys and values that are JSON already are written as they are") {
  std::string text;
  Writer writer(text);
  writer.BeginObject();
  writer.RawKey(R"("\ud800")");
  writer.Raw("1.00e+2");
  writer.RawKey(R"("a")");
  writer.Int(1);
  writer.EndObject();
  CHECK(text == R"({"\ud800":1.00e+2,"a":1})");
}

TEST_CASE("integers are written in full") {
  std::string text;
  Writer writer(text);
  writer.BeginArray();
  writer.Int(INT64_MIN);
  writer.Int(0);
  writer.Int(INT64_MAX);
  writer.EndArray();
  CHECK(text == "[-9223372036854775808,0,9223372036854775807]");
}

TEST_CASE("a document may be appended to other text") {
  std::string text = "data: ";
  Writer writer(text);
  writer.BeginArray();
  writer.EndArray();
  CHECK(text == "data: []");
}

}  // namespace
}  // namespace god33::json
