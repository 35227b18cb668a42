#include "transcode/json_reader.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "god33/store/v1/event_store.pb.h"
#include "kinds.pb.h"
#include "transcode/json_writer.h"

namespace god33::transcode {
namespace {

using store::v1::AppendEventRequest;
using test::Inner;
using test::Kinds;

// The message that the text is, in protobuf's one-line text format; or "<field>: <message>".
std::string Read(std::string_view json) {
  Kinds kinds;
  const absl::Status status = ReadJson(json, kinds);
  if (status.ok()) return kinds.ShortDebugString();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "INVALID_ARGUMENT");
  const std::string message(MessageOf(status));
  CHECK(message.rfind(FieldOf(status) + ": ", 0) == 0);
  return message;
}

// The field that is at fault.
std::string Fault(std::string_view json) {
  Kinds kinds;
  return FieldOf(ReadJson(json, kinds));
}

TEST_CASE("every kind of field is read") {
  CHECK(Read(R"({"flag":true,"int32":-5,"int64":9223372036854775807,"uint32":4294967295,
                 "uint64":18446744073709551615,"float":1.5,"double":-1e10,"text":"a\u00e9\n",
                 "data":"AP8=","color":"COLOR_RED","inner":{"text":"i"}})") ==
        R"(flag: true int32: -5 int64: 9223372036854775807 uint32: 4294967295 )"
        R"(uint64: 18446744073709551615 float: 1.5 double: -10000000000 text: "a\303\251\n" )"
        R"(data: "\000\377" color: COLOR_RED inner { text: "i" })");
  CHECK(
      Read(R"({"time":"2026-01-01T01:00:00.5+01:00","duration":"-1.5s","wrapped_text":"",
                 "wrapped_int64":"7","json":{"a" : 1.00},"maybe_text":"","maybe_int64":0})") ==
      R"(time { seconds: 1767225600 nanos: 500000000 } duration { seconds: -1 nanos: -500000000 } )"
      R"(wrapped_text { } wrapped_int64 { value: 7 } json { text: "{\"a\" : 1.00}" } )"
      R"(maybe_text: "" maybe_int64: 0)");
  CHECK(
      Read(R"({"texts":["a",""],"int32s":[1,"2"],"colors":["COLOR_BLUE",1],
                 "inners":[{},{"number":1}],"times":["1970-01-01T00:00:00Z"],"jsons":[null,"x"]})") ==
      R"(texts: "a" texts: "" int32s: 1 int32s: 2 colors: COLOR_BLUE colors: COLOR_RED inners { } )"
      R"(inners { number: 1 } times { } jsons { text: "null" } jsons { text: "\"x\"" })");
  CHECK(Read(R"({"counts":{"a":1},"inner_by_number":{"-3":{}},"json_by_flag":{"true":null},
                 "choice_inner":{"number":2}})") ==
        R"(counts { key: "a" value: 1 } inner_by_number { key: -3 value { } } )"
        R"(json_by_flag { key: true value { text: "null" } } choice_inner { number: 2 })");
}

TEST_CASE("what the writer writes is read back as the same message") {
  Kinds kinds;
  REQUIRE(
      ReadJson(R"({"text":"t","double":0.1,"float":0.1,"data":"/+8=","time":"2026-01-01T00:00:00Z",
                       "duration":"0.001s","json":[1,{"a":null}],"counts":{"b":2,"a":1},
                       "inners":[{"inner":{"number":1}}],"choice_int64":5,"renamed":"r"})",
               kinds)
          .ok());
  std::string json;
  JsonWriter(*Kinds::descriptor()).Append(json, kinds);
  Kinds again;
  REQUIRE(ReadJson(json, again).ok());
  CHECK(again.ShortDebugString() == kinds.ShortDebugString());
}

TEST_CASE("names may be those of the proto or of protobuf's JSON") {
  CHECK(Read(R"({"maybe_text":"a"})") == Read(R"({"maybeText":"a"})"));
  CHECK(Read(R"({"AnotherName":"a"})") == R"(renamed: "a")");
  CHECK(Read(R"({"te\u0078t":"a"})") == R"(text: "a")");
  CHECK(Fault(R"({"MaybeText":"a"})") == "MaybeText");
}

TEST_CASE("null is absent") {
  CHECK(Read(R"({"text":null,"inner":null,"texts":null,"counts":null,"json":null,"int32":null,
                 "choice_text":null,"choice_int64":1,"time":null,"wrapped_text":null})") ==
        "choice_int64: 1");
  CHECK(Read("{}") == "");
}

TEST_CASE("of duplicates the last counts, as a whole") {
  CHECK(Read(R"({"text":"a","text":"b"})") == R"(text: "b")");
  CHECK(Read(R"({"inner":{"text":"a"},"inner":{"number":1}})") == "inner { number: 1 }");
  CHECK(Read(R"({"texts":["a"],"texts":["b"]})") == R"(texts: "b")");
  CHECK(Read(R"({"text":"a","text":null})") == "");
  CHECK(Read(R"({"maybe_text":"a","maybeText":"b"})") == R"(maybe_text: "b")");
  CHECK(Read(R"({"int32":"x","int32":1})") == "int32: 1");
  CHECK(Read(R"({"counts":{"a":1,"a":2}})") == R"(counts { key: "a" value: 2 })");
}

TEST_CASE("a JSON field keeps its text digit for digit") {
  AppendEventRequest request;
  const auto* event = AppendEventRequest::descriptor()->FindFieldByName("event");
  REQUIRE(ReadJsonField(R"( {"payload": { "n":123456789012345678901234567890.10, "a":1,"a":2,
"s":"\u0000\ud800" } , "source":{"meta":"text"}} )",
                        request, *event)
              .ok());
  CHECK(request.event().payload().text() ==
        "{ \"n\":123456789012345678901234567890.10, \"a\":1,\"a\":2,\n\"s\":\"\\u0000\\ud800\" }");
  CHECK(request.event().source().meta().text() == "\"text\"");
}

TEST_CASE("an unknown field is an error with its full path") {
  AppendEventRequest request;
  const auto* event = AppendEventRequest::descriptor()->FindFieldByName("event");
  const absl::Status status = ReadJsonField(R"({"source":{"foo":1}})", request, *event);
  CHECK(FieldOf(status) == "event.source.foo");
  CHECK(MessageOf(status) == "event.source.foo: unknown field");
  CHECK(Fault(R"({"":1})") == "body");
  CHECK(Fault(R"({"inners":[{},{"inner":{"x":1}}]})") == "inners[1].inner.x");
  CHECK(Fault(R"({"inner_by_number":{"1":{"x":1}}})") == R"(inner_by_number["1"].x)");
}

TEST_CASE("a value of the wrong kind is an error that says what was expected") {
  CHECK(Read(R"({"flag":"true"})") == "flag: expected true or false, got a string");
  CHECK(Read(R"({"int32":1.0})") ==
        "int32: expected an integer from -2147483648 to 2147483647, got \"1.0\"");
  CHECK(Read(R"({"uint64":-1})") ==
        "uint64: expected an integer from 0 to 18446744073709551615, got \"-1\"");
  CHECK(Read(R"({"text":1})") == "text: expected UTF-8 text, got a number");
  CHECK(Read(R"({"data":"?"})") == "data: expected base64, got \"?\"");
  CHECK(Read(R"({"color":"RED"})") ==
        "color: expected one of COLOR_UNSPECIFIED, COLOR_RED, COLOR_BLUE, got \"RED\"");
  CHECK(Read(R"({"inner":[]})") == "inner: expected an object, got an array");
  CHECK(Read(R"({"inners":{}})") == "inners: expected an array, got an object");
  CHECK(Read(R"({"counts":[]})") == "counts: expected an object, got an array");
  CHECK(Read(R"({"texts":["a",null]})") == "texts[1]: expected UTF-8 text, got null");
  CHECK(Read(R"({"inners":[null]})") == "inners[0]: expected an object, got null");
  CHECK(Read(R"({"counts":{"a":null}})").rfind(R"(counts["a"]: expected an integer)", 0) == 0);
  CHECK(Read(R"({"json_by_flag":{"yes":1}})") ==
        R"(json_by_flag["yes"]: as a key: expected true or false, got "yes")");
  CHECK(Read(R"({"time":5})") == "time: expected an RFC 3339 time, got a number");
  CHECK(Read(R"({"duration":"5"})") ==
        "duration: expected a duration in seconds such as \"1.5s\", got \"5\"");
  CHECK(Read(R"({"wrapped_int64":true})").rfind("wrapped_int64: expected an integer", 0) == 0);
  for (const char* json : {"[]", "1", "\"a\"", "null", "true"}) CHECK(Fault(json) == "body");
}

TEST_CASE("two members of one oneof are an error") {
  CHECK(Read(R"({"choice_text":"a","choice_int64":1})") ==
        "choice_int64: can't be given together with choice_text");
}

TEST_CASE("text that is no JSON is an error about the body") {
  for (const char* json :
       {"", " ", "{", "{\"a\"}", "{\"text\":\"a\"}x", "{'text':'a'}", "{\"text\":\xff}",
        "{\"text\":\"\xff\"}", "{\"text\":NaN}", "{\"text\":\"\x01\"}"}) {
    CAPTURE(json);
    CHECK(Fault(json) == "body");
  }
}

TEST_CASE("huge numbers are errors, not overflows") {
  const std::string digits(100'000, '9');
  CHECK(Fault("{\"int64\":" + digits + "}") == "int64");
  CHECK(Fault("{\"double\":1e" + digits + "}") == "double");
  CHECK(Fault("{\"double\":" + digits + "}") == "double");
  CHECK(Fault("{\"float\":1e39}") == "float");
  CHECK(Read("{\"int64\":" + digits + "}").size() < 300);
}

std::string Nested(int depth) {
  std::string json;
  for (int i = 0; i < depth; ++i) json += "{\"inner\":";
  json += "{}";
  json.append(static_cast<std::size_t>(depth), '}');
  return json;
}

TEST_CASE("nesting is bounded") {
  Inner inner;
  CHECK(ReadJson(Nested(99), inner).ok());
  const absl::Status status = ReadJson(Nested(100), inner);
  CHECK(std::string(MessageOf(status)).find("nested deeper than 100 messages") !=
        std::string::npos);
  const std::string brackets = "{\"json\":" + std::string(999, '[') + std::string(999, ']') + "}";
  CHECK(Fault(brackets) == "");
  CHECK(Fault("{\"json\":" + std::string(1'000'000, '[') + "}") == "body");
}

TEST_CASE("a body can't be turned into many times its size") {
  std::string json = "{\"inners\":[{}";
  for (int i = 0; i < 200'000; ++i) json += ",{}";
  CHECK(Fault(json + "]}").rfind("inners[", 0) == 0);
  std::string many = "{\"int32s\":[1";
  for (int i = 0; i < 500'000; ++i) many += ",1";
  CHECK(Fault(many + "]}") == "");
}

TEST_CASE("made-up names are not echoed in full") {
  CHECK(Fault("{\"" + std::string(100'000, 'x') + "\":1}").size() <= 80);
  CHECK(Read("{\"counts\":{\"" + std::string(100'000, 'x') + "\":true}}").size() < 300);
}

TEST_CASE("a field's value may be of any type") {
  Kinds kinds;
  const auto field = [](const char* name) { return Kinds::descriptor()->FindFieldByName(name); };
  CHECK(ReadJsonField("[\"a\",\"b\"]", kinds, *field("texts")).ok());
  CHECK(ReadJsonField("5", kinds, *field("int32")).ok());
  CHECK(ReadJsonField("null", kinds, *field("inner")).ok());
  CHECK(kinds.ShortDebugString() == R"(int32: 5 texts: "a" texts: "b")");
  CHECK(FieldOf(ReadJsonField("[1]", kinds, *field("texts"))) == "texts[0]");
}

}  // namespace
}  // namespace god33::transcode
