#include "transcode/json_writer.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "god33/store/v1/event_store.pb.h"
#include "google/protobuf/text_format.h"
#include "json/value.h"
#include "kinds.pb.h"

namespace god33::transcode {
namespace {

using test::Inner;
using test::Kinds;

template <typename Message>
std::string Write(const Message& message, const char* only = nullptr) {
  const auto* type = Message::descriptor();
  std::string json;
  JsonWriter(*type, only == nullptr ? nullptr : type->FindFieldByName(only)).Append(json, message);
  return json;
}

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

TEST_CASE("every field is written, also when nothing is set") {
  CHECK(
      Write(Kinds()) ==
      R"({"flag":false,"int32":0,"int64":0,"uint32":0,"uint64":0,"float":0,"double":0,"text":"",)"
      R"("data":"","color":"COLOR_UNSPECIFIED","inner":null,"time":null,"duration":null,)"
      R"("wrapped_text":null,"wrapped_int64":null,"json":null,"maybe_text":null,)"
      R"("maybe_int64":null,"texts":[],"int32s":[],"colors":[],"inners":[],"times":[],"jsons":[],)"
      R"("counts":{},"inner_by_number":{},"json_by_flag":{},"choice_text":null,)"
      R"("choice_int64":null,"choice_inner":null,"renamed":""})");
  CHECK(Write(test::Nothing()) == "{}");
}

TEST_CASE("every kind of field has its form") {
  const Kinds kinds = Parse<Kinds>(R"(
      flag: true int32: -2147483648 int64: -9223372036854775808 uint32: 4294967295
      uint64: 18446744073709551615 float: 0.1 double: 1e300 text: "a\"\n\xC3\xA9" data: "\x00\xff"
      color: COLOR_RED inner { text: "i" } time { seconds: 1 nanos: 500000000 }
      duration { seconds: 1 nanos: 500000000 } wrapped_text { value: "" } wrapped_int64 { value: 7 }
      json { text: "{\"a\":1.00}" } maybe_text: "" maybe_int64: 0 texts: ["a", ""] int32s: [1, 2]
      colors: [COLOR_BLUE, 9] inners { number: 1 } times { seconds: 0 } jsons { text: "null" }
      jsons {} counts { key: "b" value: 2 } counts { key: "a" value: 1 }
      inner_by_number { key: 3 value { text: "x" } } json_by_flag { key: true value { text: "[]" } }
      choice_int64: 0 renamed: "r")");
  CHECK(
      Write(kinds) ==
      R"({"flag":true,"int32":-2147483648,"int64":-9223372036854775808,"uint32":4294967295,)"
      R"("uint64":18446744073709551615,"float":0.1,"double":1e+300,"text":"a\"\n)"
      "\xC3\xA9"
      R"(","data":"AP8=","color":"COLOR_RED",)"
      R"("inner":{"text":"i","number":0,"inner":null,"inners":[]},"time":"1970-01-01T00:00:01.500Z",)"
      R"("duration":"1.500s","wrapped_text":"","wrapped_int64":7,"json":{"a":1.00},"maybe_text":"",)"
      R"("maybe_int64":0,"texts":["a",""],"int32s":[1,2],"colors":["COLOR_BLUE",9],)"
      R"("inners":[{"text":"","number":1,"inner":null,"inners":[]}],)"
      R"("times":["1970-01-01T00:00:00Z"],"jsons":[null,null],"counts":{"a":1,"b":2},)"
      R"("inner_by_number":{"3":{"text":"x","number":0,"inner":null,"inners":[]}},)"
      R"("json_by_flag":{"true":[]},"choice_text":null,"choice_int64":0,"choice_inner":null,)"
      R"("renamed":"r"})");
}

TEST_CASE("an event is written as the architecture shows it") {
  const auto answer = Parse<store::v1::GetEventResponse>(R"(
      event {
        event_id: "6f9619ff-8b86-d011-b42d-00c04fc964ff" event_type: "bmad.workflow.started"
        timestamp { seconds: 1767225600 nanos: 123456000 } version: "1.0.0"
        source { host: "h" type: "manual" } correlation_ids: "00000000-0000-0000-0000-000000000001"
        payload { text: "{\"n\":12345678901234567890.10,\"z\":\"\\u0000\"}" }
        position: 9007199254740993 recorded_at { seconds: 1767225601 }
      })");
  const std::string event =
      R"({"event_id":"6f9619ff-8b86-d011-b42d-00c04fc964ff","event_type":"bmad.workflow.started",)"
      R"("timestamp":"2026-01-01T00:00:00.123456Z","version":"1.0.0",)"
      R"("source":{"host":"h","type":"manual","app":null,"meta":null},)"
      R"("correlation_ids":["00000000-0000-0000-0000-000000000001"],"agent_context":null,)"
      R"("payload":{"n":12345678901234567890.10,"z":"\u0000"},"position":9007199254740993,)"
      R"("recorded_at":"2026-01-01T00:00:01Z","payload_errors":[]})";
  CHECK(Write(answer, "event") == event);
  CHECK(Write(answer) == "{\"event\":" + event + "}");
  CHECK(Write(store::v1::GetEventResponse(), "event") == "null");
}

TEST_CASE("an answer may be any one field") {
  const Kinds kinds = Parse<Kinds>(R"(texts: "a" text: "t" counts { key: "k" value: 1 })");
  CHECK(Write(kinds, "texts") == R"(["a"])");
  CHECK(Write(kinds, "text") == R"("t")");
  CHECK(Write(kinds, "counts") == R"({"k":1})");
  CHECK(Write(kinds, "maybe_text") == "null");
}

TEST_CASE("numbers that JSON does not have are strings") {
  Kinds kinds;
  kinds.set_double_(std::numeric_limits<double>::quiet_NaN());
  CHECK(Write(kinds, "double") == R"("NaN")");
  kinds.set_double_(-std::numeric_limits<double>::infinity());
  CHECK(Write(kinds, "double") == R"("-Infinity")");
  kinds.set_float_(std::numeric_limits<float>::infinity());
  CHECK(Write(kinds, "float") == R"("Infinity")");
}

TEST_CASE("text that is not UTF-8 still gives valid JSON") {
  Kinds kinds;
  kinds.set_text("a\xff\xc3");
  kinds.add_texts("\x01\x7f\"\\");
  (*kinds.mutable_counts())["\xff\""] = 1;
  CHECK(json::Value::Parse(Write(kinds)).ok());
}

TEST_CASE("values of a time that no clock shows are written somehow") {
  Kinds kinds;
  kinds.mutable_time()->set_seconds(std::numeric_limits<std::int64_t>::max());
  kinds.mutable_time()->set_nanos(-5);
  CHECK(json::Value::Parse(Write(kinds)).ok());
}

TEST_CASE("messages of a type that contains itself are written") {
  Inner inner;
  Inner* at = &inner;
  for (int i = 0; i < 90; ++i) at = at->mutable_inner();
  CHECK(json::Value::Parse(Write(inner)).ok());
}

}  // namespace
}  // namespace god33::transcode
