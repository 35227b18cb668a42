#include "event/write.h"

#include <catch2/catch.hpp>

#include "json/value.h"
#include "testing/fake_ids.h"
#include "unit/printers.h"

namespace god33::event {
namespace {

using testing::FakeId;

TEST_CASE("an envelope is written as Bloodbank's canonical JSON, nulls included") {
  Envelope envelope;
  envelope.id = *Uuid::Parse("6F9619FF-8B86-D011-B42D-00C04FC964FF");
  envelope.type = "fireflies.transcript.ready";
  envelope.time = absl::FromUnixMicros(1769508000'123456);
  envelope.source = {.host = "h", .type = "manual", .app = "bloodbank-cli"};
  envelope.parents = {FakeId(2), FakeId(1)};
  envelope.payload = R"({"b" : 1e5, "a":"\u0000", "a":123456789012345678901234567890})";
  CHECK(WriteJson(envelope) ==
        R"({"event_id":"6f9619ff-8b86-d011-b42d-00c04fc964ff",)"
        R"("event_type":"fireflies.transcript.ready","timestamp":"2026-01-27T10:00:00.123456Z",)"
        R"("version":"1.0.0",)"
        R"("source":{"host":"h","type":"manual","app":"bloodbank-cli","meta":null},)"
        R"("correlation_ids":["00000000-0000-4000-8000-000000000002",)"
        R"("00000000-0000-4000-8000-000000000001"],"agent_context":null,)"
        R"("payload":{"b" : 1e5, "a":"\u0000", "a":123456789012345678901234567890}})");
}

TEST_CASE("a context is written with a null for what it lacks") {
  const AgentContext context{.type = "letta",
                             .mcp_servers = {"a\"b"},
                             .code_state = CodeState{.branch = "main"},
                             .meta = R"([1])"};
  CHECK(WriteContext(context, Absent::kNull) ==
        R"({"type":"letta","name":null,"system_prompt":null,"instance_id":null,)"
        R"("mcp_servers":["a\"b"],"file_references":[],"url_references":[],)"
        R"("code_state":{"repo_url":null,"branch":"main","working_diff":null,"branch_diff":null,)"
        R"("last_commit_hash":null},"checkpoint_id":null,"meta":[1]})");
}

TEST_CASE("the store keeps what is there and nothing else") {
  CHECK(WriteContext({.type = "letta", .code_state = CodeState{.branch = "main"}}, Absent::kOmit) ==
        R"({"type":"letta","code_state":{"branch":"main"}})");
  CHECK(WriteContext({}, Absent::kOmit) == "{}");
  CHECK(WriteSource({.host = "h", .type = "hook"}, Absent::kOmit) ==
        R"({"host":"h","type":"hook"})");
  CHECK(WriteSource({.host = "", .type = "", .app = "", .meta = "{}"}, Absent::kOmit) ==
        R"({"host":"","type":"","app":"","meta":{}})");
}

TEST_CASE("hostile texts are escaped") {
  const std::string host("\"\\\0\n\x7F\xC3\xA9", 7);
  CHECK(WriteSource({.host = host, .type = "t"}, Absent::kOmit) ==
        "{\"host\":\"\\\"\\\\\\u0000\\n\x7F\xC3\xA9\",\"type\":\"t\"}");
}

}  // namespace
}  // namespace god33::event
