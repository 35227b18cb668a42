#include "services/letta-bridge/app_server/turn.h"

#include <catch2/catch.hpp>

#include "base/strings.h"

namespace god33::letta::app_server {
namespace {

using Why = TurnFinished::Why;

// The frames are those of App Server 0.32.18, shortened.
Frame Parsed(const std::string& text) {
  auto frame = Frame::Parse(text);
  INFO(text);
  REQUIRE(frame.ok());
  return *frame;
}

Frame Status(std::string_view status) {
  return Parsed(
      StrCat(R"({"type":"update_loop_status","loop_status":{"status":")", status, R"("}})"));
}
Frame Delta(std::string_view members) {
  return Parsed(StrCat(R"({"type":"stream_delta","delta":{)", members, "}}"));
}
Frame Text(std::string_view id, std::string_view text) {
  return Delta(StrCat(R"("id":")", id,
                      R"(","message_type":"assistant_message","content":[{"type":"text","text":")",
                      text, R"("}])"));
}
Frame Call(std::string_view id, std::string_view tool) {
  return Delta(StrCat(
      R"("id":"letta-msg-2","message_type":"approval_request_message","tool_call":{"tool_call_id":")",
      id, R"(","name":")", tool, R"(","arguments":"{}"})"));
}
Frame Permission(std::string_view id, std::string_view tool, std::string_view input = "{}") {
  return Parsed(StrCat(R"({"type":"control_request","request_id":"perm-)", id,
                       R"(","request":{"subtype":"can_use_tool","tool_name":")", tool,
                       R"(","input":)", input, R"(,"tool_call_id":")", id, R"("}})"));
}
Frame ToolRequest(std::string_view id, std::string_view tool) {
  return Parsed(StrCat(R"({"type":"external_tool_call_request","request_id":"ext-)", id,
                       R"(","tool_call_id":")", id, R"(","tool_name":")", tool,
                       R"(","input":{"summary":"1"}})"));
}
Frame Finished(std::string_view reason, std::string_view more = "") {
  return Parsed(StrCat(R"({"type":"turn_finished","stop_reason":")", reason, R"(")", more, "}"));
}
Frame Accepted(std::string_view disposition) {
  return Parsed(
      StrCat(R"({"type":"input_accepted","request_id":"in-1","accepted":true,"disposition":")",
             disposition, R"("})"));
}

Turn Idle() {
  Turn turn({"agent", "conversation"}, {{.name = "report_progress"}, {.name = "ask_human"}});
  CHECK_FALSE(turn.Attached());
  return turn;
}

Turn Running() {
  Turn turn = Idle();
  turn.Expect("in-1", "marker");
  turn.Feed(Accepted("started"));
  REQUIRE(turn.TakeAnswer() == absl::OkStatus());
  turn.Feed(Status("SENDING_API_REQUEST"));
  return turn;
}

std::vector<TurnEvent> Events(Turn& turn) {
  std::vector<TurnEvent> events;
  while (auto event = turn.NextEvent()) events.push_back(*std::move(event));
  return events;
}

// The one event, of this kind.
template <typename Event>
Event Only(Turn& turn) {
  std::vector<TurnEvent> events = Events(turn);
  REQUIRE(events.size() == 1);
  REQUIRE(std::holds_alternative<Event>(events[0]));
  return std::get<Event>(events[0]);
}

TEST_CASE("pieces of an answer are joined, and told when it is complete") {
  Turn turn = Running();
  turn.Feed(Text("ui-msg-2", "fin"));
  turn.Feed(Text("ui-msg-2", "e then"));
  CHECK(Events(turn).empty());
  SECTION("by the end") {
    turn.Feed(Finished("end_turn"));
  }
  SECTION("by another message") {
    turn.Feed(Text("ui-msg-3", "x"));
  }
  SECTION("by a tool call") {
    turn.Feed(Permission("c", "report_progress"));
  }
  SECTION("by anything else in the stream") {
    turn.Feed(Delta(R"("message_type":"stop_reason","stop_reason":"end_turn")"));
  }
  const auto events = Events(turn);
  REQUIRE_FALSE(events.empty());
  const Message& message = std::get<MessageSeen>(events[0]).message;
  CHECK(message.text == "fine then");
  CHECK(message.id == "ui-msg-2");
}

TEST_CASE("a tool call: allowed, asked, answered") {
  Turn turn = Running();
  turn.Feed(Call("c1", "report_progress"));
  turn.Feed(Permission("c1", "report_progress"));
  CHECK(
      turn.TakeFrames() ==
      std::vector<std::string>{
          R"({"type":"input","runtime":{"agent_id":"agent","conversation_id":"conversation"},"payload":)"
          R"({"kind":"approval_response","request_id":"perm-c1","decision":{"behavior":"allow"}}})"});
  const Message seen = Only<MessageSeen>(turn).message;
  CHECK(seen.tool_call_id == "c1");
  CHECK(seen.id.empty());  // the list has another one
  turn.Feed(ToolRequest("c1", "report_progress"));
  const ToolCall call = Only<ToolCall>(turn);
  CHECK(call.call_id == "c1");
  CHECK(call.arguments == R"({"summary":"1"})");
  CHECK(
      *turn.Answer("c1", {.text = "no", .is_error = true}) ==
      R"({"type":"external_tool_call_response","request_id":"ext-c1","result":{"content":[{"type":"text","text":"no"}],"is_error":true}})");
  CHECK(turn.TakeAnswered() == std::vector<std::string>{"ext-c1"});
  CHECK(turn.Answer("c1", {}).status().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a call that the server has answered by itself can't be answered any more") {
  Turn turn = Running();
  turn.Feed(ToolRequest("c", "report_progress"));
  turn.Feed(Delta(
      R"("message_type":"tool_return_message","tool_call_id":"c","status":"error","tool_return":"timed out")"));
  CHECK(Events(turn).size() == 2);
  CHECK(turn.Answer("c", {}).status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(turn.TakeAnswered() == std::vector<std::string>{"ext-c"});
}

TEST_CASE("a tool that is not offered is denied with those that are") {
  Turn turn = Running();
  turn.Feed(Permission("c", "Bash"));
  CHECK(Events(turn).empty());
  const auto frames = turn.TakeFrames();
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].find(R"("behavior":"deny","message":"There is no tool Bash here. You may call: )"
                       R"(AskUserQuestion, ask_human, report_progress.")") != std::string::npos);
  turn.Feed(ToolRequest("c", "Bash"));
  CHECK(Events(turn).empty());
  CHECK(turn.TakeFrames().size() == 1);
}

TEST_CASE("the server's own question is answered by a denial") {
  Turn turn = Running();
  turn.Feed(Permission("q", "AskUserQuestion", R"({"questions":[{"question":"A?"}]})"));
  const ToolCall call = Only<ToolCall>(turn);
  CHECK(call.question);
  CHECK(call.arguments == R"({"question":"A?","options":[],"context":""})");
  const auto frame = turn.Answer("q", {.text = "handed on"});
  REQUIRE(frame.ok());
  CHECK(frame->find(
            R"("request_id":"perm-q","decision":{"behavior":"deny","message":"handed on"})") !=
        std::string::npos);
}

TEST_CASE("a turn ends as it is told") {
  Turn turn = Running();
  turn.Feed(Delta(R"("message_type":"usage_statistics","total_tokens":15)"));
  turn.Feed(Delta(R"("message_type":"usage_statistics","total_tokens":5)"));
  const auto [reason, why] = GENERATE(table<std::string, Why>(
      {{"end_turn", Why::kEnded}, {"cancelled", Why::kAborted}, {"max_steps", Why::kFailed}}));
  turn.Feed(Finished(reason));
  const TurnFinished end = Only<TurnFinished>(turn);
  CHECK(end.why == why);
  CHECK(end.tokens == 20);
  CHECK(end.detail == (why == Why::kFailed ? reason : ""));
  CHECK_FALSE(turn.open());
  turn.Feed(Finished("end_turn"));
  CHECK(Events(turn).empty());
}

TEST_CASE("a failure has the model's words rather than the server's") {
  Turn turn = Running();
  turn.Feed(Delta(R"("message_type":"loop_error","message":"{\"error\":{}}","is_terminal":true)"));
  turn.Feed(Delta(R"("message_type":"error_message","message":"500: no")"));
  turn.Feed(Finished("llm_api_error", R"(,"error":"{}")"));
  CHECK(Only<TurnFinished>(turn).detail == "llm_api_error: 500: no");
}

TEST_CASE("an end without a word is one after a while") {
  Turn turn = Running();
  turn.Feed(Status("PROCESSING_API_RESPONSE"));
  turn.Finish();
  CHECK(turn.open());
  turn.Feed(Status("WAITING_ON_INPUT"));
  CHECK(turn.ending());
  turn.Finish();
  CHECK(Only<TurnFinished>(turn).why == Why::kAborted);
}

TEST_CASE("what an earlier turn still tells is not the waiting input's") {
  Turn turn = Idle();
  turn.Expect("in-1", "marker");
  turn.Feed(Accepted("queued"));
  REQUIRE(turn.TakeAnswer() == absl::OkStatus());
  CHECK(turn.waiting());
  turn.Feed(Parsed(
      R"({"type":"update_queue","queue":[{"id":"q-1","client_message_id":"marker"}],"removed":[]})"));
  CHECK(turn.queued_item() == "q-1");
  turn.Feed(Text("ui-msg-1", "late"));
  turn.Feed(ToolRequest("late", "report_progress"));
  turn.Feed(Finished("cancelled"));
  CHECK(Events(turn).empty());
  CHECK(turn.TakeFrames().size() == 1);  // the late call is answered: nobody else will
  SECTION("it begins by its echo") {
    turn.Feed(Delta(R"("message_type":"user_message","content":"x","otid":"marker")"));
  }
  SECTION("it begins by leaving the queue") {
    turn.Feed(Parsed(
        R"({"type":"update_queue","queue":[],"removed":[{"client_message_id":"marker","disposition":"dequeued"}]})"));
  }
  CHECK_FALSE(turn.waiting());
  CHECK(turn.queued_item().empty());
  turn.Feed(Status("WAITING_ON_INPUT"));  // comes before its first work
  CHECK_FALSE(turn.ending());
  turn.Feed(Finished("end_turn"));
  CHECK(Only<TurnFinished>(turn).why == Why::kEnded);
}

TEST_CASE("an input that is taken from the queue is aborted") {
  Turn turn = Idle();
  turn.Expect("in-1", "marker");
  turn.Feed(Accepted("queued"));
  turn.Feed(Parsed(
      R"({"type":"update_queue","queue":[],"removed":[{"client_message_id":"marker","disposition":"cancelled"}]})"));
  CHECK(Only<TurnFinished>(turn).why == Why::kAborted);
}

TEST_CASE("a refused input opens no turn") {
  Turn turn = Idle();
  turn.Expect("in-1", "marker");
  turn.Feed(
      Parsed(R"({"type":"input_accepted","request_id":"other","accepted":false,"error":"x"})"));
  CHECK_FALSE(turn.TakeAnswer());
  turn.Feed(Parsed(
      R"({"type":"input_accepted","request_id":"in-1","accepted":false,"error":"no such agent"})"));
  const auto answer = turn.TakeAnswer();
  REQUIRE(answer);
  CHECK(answer->message() == "the Letta App Server refused: no such agent");
  CHECK_FALSE(turn.open());
}

TEST_CASE("a turn that runs is seen while attaching, with what it waits for") {
  Turn turn({"agent", "conversation"}, {{.name = "report_progress"}});
  turn.Feed(Permission("q", "AskUserQuestion"));
  turn.Feed(Status("WAITING_ON_APPROVAL"));
  CHECK(turn.Attached());
  CHECK(Only<ToolCall>(turn).question);
}

TEST_CASE("an aborted turn is forgotten, and its calls are answered") {
  Turn turn = Running();
  turn.Feed(Text("ui-msg-2", "half"));
  turn.Feed(ToolRequest("c", "report_progress"));
  turn.Drop();
  CHECK_FALSE(turn.open());
  CHECK(Events(turn).empty());
  CHECK(
      turn.TakeFrames() ==
      std::vector<std::string>{
          R"({"type":"external_tool_call_response","request_id":"ext-c","error":"the turn was aborted"})"});
}

TEST_CASE("frames of unknown shapes change nothing") {
  Turn turn = Running();
  for (const char* text :
       {R"({"type":"stream_delta"})", R"({"type":"stream_delta","delta":7})",
        R"({"type":"control_request"})", R"({"type":"control_request","request_id":"x"})",
        R"({"type":"external_tool_call_request"})",
        R"({"type":"update_queue","queue":7,"removed":[7]})", R"({"type":"update_loop_status"})",
        R"({"type":"input_accepted"})", R"({"type":"something_new","runtime":{}})"}) {
    turn.Feed(Parsed(text));
  }
  CHECK(Events(turn).empty());
  CHECK(turn.TakeFrames().empty());
  CHECK(turn.open());
}

}  // namespace
}  // namespace god33::letta::app_server
