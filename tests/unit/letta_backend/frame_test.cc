#include "services/letta-bridge/app_server/frame.h"

#include <catch2/catch.hpp>

#include "services/letta-bridge/app_server/inbox.h"

namespace god33::letta::app_server {
namespace {

TEST_CASE("a frame is taken apart") {
  const auto frame = Frame::Parse(
      R"({"type":"turn_finished","request_id":"r","runtime":{"agent_id":"a","conversation_id":"c"},"n":1})");
  REQUIRE(frame.ok());
  CHECK(frame->type() == "turn_finished");
  CHECK(frame->request_id() == "r");
  CHECK(frame->runtime() == Runtime{"a", "c"});
  CHECK(IntOf(frame->body(), "n") == 1);
  const Frame copy = *frame;
  CHECK(TextOf(copy.body(), "type") == "turn_finished");
}

TEST_CASE("what is no frame is refused") {
  const std::string text = GENERATE("", "null", "[]", "{}", R"({"type":1})", R"({"type":""})",
                                    "{\"type\":\"a\"", "{\"type\":\"\xFF\"}");
  CAPTURE(text);
  CHECK(Frame::Parse(text).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("members of another kind count as empty") {
  const auto frame = Frame::Parse(
      R"({"type":"t","request_id":7,"runtime":"x","list":{},"flag":"true","object":[1],"n":1.5})");
  REQUIRE(frame.ok());
  CHECK(frame->request_id().empty());
  CHECK_FALSE(frame->runtime());
  for (const json::Value element : ElementsOf(frame->body(), "list")) FAIL(element.text());
  for (const json::Value element : ElementsOf(frame->body(), "none")) FAIL(element.text());
  CHECK_FALSE(IsTrue(frame->body(), "flag"));
  CHECK_FALSE(ObjectOf(frame->body(), "object"));
  CHECK(IntOf(frame->body(), "n") == 0);
}

TEST_CASE("an inbox keeps the order, and ends an owner that is too slow") {
  Inbox inbox;
  const auto frame = Frame::Parse(R"({"type":"t"})");
  inbox.Push(*frame);
  CHECK((*inbox.Take(absl::ZeroDuration()))->type() == "t");
  CHECK_FALSE(inbox.Take(absl::ZeroDuration())->has_value());
  const auto large = Frame::Parse(R"({"type":"t","x":")" + std::string(1 << 20, 'x') + R"("})");
  for (int i = 0; i < 64; ++i) inbox.Push(*large);
  CHECK(inbox.Take(absl::ZeroDuration()).status().code() == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("what came before an inbox's end is still taken") {
  Inbox inbox;
  inbox.Push(*Frame::Parse(R"({"type":"t"})"));
  inbox.Close(absl::UnavailableError("gone"));
  inbox.Close(absl::InternalError("later"));
  inbox.Push(*Frame::Parse(R"({"type":"u"})"));
  CHECK((*inbox.Take(absl::ZeroDuration()))->type() == "t");
  CHECK(inbox.Take(absl::ZeroDuration()).status() == absl::UnavailableError("gone"));
}

}  // namespace
}  // namespace god33::letta::app_server
