#include "event/parts.h"

#include <catch2/catch.hpp>

namespace god33::event {
namespace {

Source SourceOf(std::string_view text) {
  return ReadSource(*json::Value::Parse(text));
}
AgentContext ContextOf(std::string_view text) {
  return ReadContext(*json::Value::Parse(text));
}

TEST_CASE("a source is read field by field") {
  CHECK(SourceOf(R"({"host":"h","type":"agent","app":"bloodbank-cli","meta":{"k":1}})") ==
        Source{.host = "h", .type = "agent", .app = "bloodbank-cli", .meta = R"({"k":1})"});
}

TEST_CASE("null in a source counts as absent") {
  CHECK(SourceOf(R"({"host":"h","type":"hook","app":null,"meta":null})") ==
        Source{.host = "h", .type = "hook"});
}

TEST_CASE("a source without host and type is manual on an unknown host") {
  CHECK(SourceOf("{}") == Source{.host = "unknown", .type = "manual"});
}

TEST_CASE("what a source has no field for is kept in its meta") {
  CHECK(SourceOf(R"({"host":"h","type":"hook","trigger_type":"post_tool","meta":{"a":1}})").meta ==
        R"({"a":1,"trigger_type":"post_tool"})");
  CHECK(SourceOf(R"({"host":7,"type":"hook"})") ==
        Source{.host = "unknown", .type = "hook", .meta = R"({"host":7})"});
  CHECK(SourceOf(R"({"host":"h","type":"t","x":null})").meta.empty());
}

TEST_CASE("a meta of any kind is kept") {
  CHECK(SourceOf(R"({"meta":"text"})").meta == R"("text")");
  CHECK(SourceOf(R"({"meta":[1e5]})").meta == "[1e5]");
  CHECK(SourceOf(R"({"meta":"text","x":1})").meta == R"({"meta":"text","x":1})");
}

TEST_CASE("a source given as text is app/host, or an app on an unknown host") {
  CHECK(ReadTextSource("tonny/den") == Source{.host = "den", .type = "manual", .app = "tonny"});
  CHECK(ReadTextSource("tonny") == Source{.host = "unknown", .type = "manual", .app = "tonny"});
}

TEST_CASE("an agent context is read field by field") {
  const AgentContext context = ContextOf(R"({"type":"bmad-architect","name":"System Architect",
      "system_prompt":"p","instance_id":"session-123","mcp_servers":["m"],
      "file_references":["a.cc","b.cc"],"url_references":["https://example.org"],
      "code_state":{"repo_url":"r","branch":"main","working_diff":"w","branch_diff":"b",
                    "last_commit_hash":"abc"},
      "checkpoint_id":"c-1","meta":{"k":1}})");
  CHECK(context == AgentContext{.type = "bmad-architect",
                                .name = "System Architect",
                                .system_prompt = "p",
                                .instance_id = "session-123",
                                .mcp_servers = {"m"},
                                .file_references = {"a.cc", "b.cc"},
                                .url_references = {"https://example.org"},
                                .code_state = CodeState{.repo_url = "r",
                                                        .branch = "main",
                                                        .working_diff = "w",
                                                        .branch_diff = "b",
                                                        .last_commit_hash = "abc"},
                                .checkpoint_id = "c-1",
                                .meta = R"({"k":1})"});
}

TEST_CASE("a context of nulls and empty lists is an empty one") {
  CHECK(ContextOf(R"({"type":null,"mcp_servers":null,"file_references":[],"code_state":null,
                      "checkpoint_id":null,"meta":null})") == AgentContext());
  CHECK(ContextOf("{}") == AgentContext());
}

TEST_CASE("what a context has no field for is kept in its meta") {
  CHECK(ContextOf(R"({"type":7,"model":"m","meta":{"a":1}})").meta ==
        R"({"a":1,"type":7,"model":"m"})");
  CHECK(ContextOf(R"({"mcp_servers":["a",1]})").meta == R"({"mcp_servers":["a",1]})");
  CHECK(ContextOf(R"({"mcp_servers":"a"})").meta == R"({"mcp_servers":"a"})");
  CHECK(ContextOf(R"({"mcp_servers":["a",null]})").mcp_servers.empty());
}

TEST_CASE("a code state with more in it than the envelope knows is kept whole") {
  const AgentContext context = ContextOf(R"({"code_state":{"branch":"main","dirty":true}})");
  CHECK_FALSE(context.code_state);
  CHECK(context.meta == R"({"code_state":{"branch":"main","dirty":true}})");
  CHECK(ContextOf(R"({"code_state":"main"})").meta == R"({"code_state":"main"})");
  CHECK(ContextOf(R"({"code_state":{"branch":7}})").meta == R"({"code_state":{"branch":7}})");
}

}  // namespace
}  // namespace god33::event
