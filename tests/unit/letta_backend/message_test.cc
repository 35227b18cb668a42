#include "services/letta-bridge/app_server/message.h"

#include <catch2/catch.hpp>

#include "services/letta-bridge/app_server/question.h"

namespace god33::letta::app_server {
namespace {

using Kind = Message::Kind;

Message Read(std::string_view text) {
  const auto value = json::Value::Parse(text);
  REQUIRE(value.ok());
  return ReadMessage(*value);
}

TEST_CASE("listed messages are read") {
  const Message input = Read(
      R"({"id":"ui-msg-1","message_type":"user_message","role":"user","content":[{"type":"text","text":
      "<system-reminder>\nThe time.\n</system-reminder>"},{"type":"text","text":"do it"}],"otid":"marker"})");
  CHECK(input.kind == Kind::kInput);
  CHECK(input.id == "ui-msg-1");
  CHECK(input.marker == "marker");
  CHECK(input.text == "do it");

  const Message remark = Read(
      R"({"id":"ui-msg-2","message_type":"user_message","content":[{"type":"text","text":
      "<system-reminder>The user interrupted the active stream.</system-reminder>\n"}],"otid":"x"})");
  CHECK(remark.kind == Kind::kOther);
  CHECK(remark.marker.empty());

  const Message answer = Read(
      R"({"id":"ui-msg-3","message_type":"assistant_message","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})");
  CHECK(answer.kind == Kind::kAnswer);
  CHECK(answer.text == "ab");

  const Message call = Read(
      R"({"id":"ui-msg-4:tool:call_x:request","message_type":"approval_request_message","tool_call":
      {"tool_call_id":"call_x","name":"report_progress","arguments":"{\"summary\":\"1\"}"}})");
  CHECK(call.kind == Kind::kToolCall);
  CHECK(call.tool_call_id == "call_x");
  CHECK(call.text == R"(report_progress {"summary":"1"})");

  const Message result = Read(
      R"({"id":"ui-msg-5","message_type":"tool_return_message","tool_call_id":"call_x","status":"success","tool_return":"noted"})");
  CHECK(result.kind == Kind::kToolResult);
  CHECK(result.tool_call_id == "call_x");
  CHECK(result.text == "noted");
}

TEST_CASE("messages of unknown shapes are read as far as they go") {
  CHECK(Read("{}").kind == Kind::kOther);
  CHECK(Read(R"({"id":7,"message_type":"assistant_message","content":{"a":1}})").text ==
        R"({"a":1})");
  CHECK(Read(R"({"message_type":"assistant_message","content":[1,null,{"text":2}]})").text.empty());
  CHECK(
      Read(
          R"({"message_type":"tool_call_message","tool_calls":[1,{"tool_call_id":"c","name":"n"}]})")
          .tool_call_id == "c");
}

std::string Arguments(std::string_view input) {
  const auto value = json::Value::Parse(input);
  REQUIRE(value.ok());
  return QuestionArguments(*value);
}

TEST_CASE("a question becomes ask_human's") {
  CHECK(
      Arguments(
          R"({"questions":[{"question":"JWT?","header":"Auth","options":[{"label":"Yes","description":"y"},
                      {"label":"No","description":""}]}]})") ==
      R"({"question":"JWT?","options":["Yes","No"],"context":"Auth\nYes: y"})");
}

TEST_CASE("several questions become one, numbered") {
  CHECK(Arguments(R"({"questions":[{"question":"A?","header":"H","options":[{"label":"a"}]},7,
                      {"question":"B?","options":[{"label":"b","description":"d"}]}]})") ==
        R"({"question":"1. A?\n2. B?","options":["1. a","2. b"],"context":"1. H\n2. b: d"})");
}

TEST_CASE("a question of another shape is an empty one") {
  const std::string input =
      GENERATE("{}", R"({"questions":7})", R"({"questions":[]})", R"({"questions":["x"]})");
  CHECK(Arguments(input) == R"({"question":"","options":[],"context":""})");
}

}  // namespace
}  // namespace god33::letta::app_server
