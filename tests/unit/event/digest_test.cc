#include "event/digest.h"

#include <catch2/catch.hpp>
#include <functional>
#include <map>

#include "testing/fake_ids.h"
#include "unit/printers.h"

namespace god33::event {
namespace {

using testing::FakeId;

Envelope Sample() {
  Envelope envelope;
  envelope.id = FakeId(1);
  envelope.type = "agent.letta.checkpoint.saved";
  envelope.time = absl::FromUnixMicros(1769508000'123456);
  envelope.version = "1.0.0";
  envelope.source = {.host = "h", .type = "agent", .app = "bridge", .meta = R"({"a":1,"b":[2]})"};
  envelope.parents = {FakeId(2), FakeId(3)};
  envelope.agent_context = AgentContext{.type = "letta",
                                        .name = "n",
                                        .system_prompt = "p",
                                        .instance_id = "i",
                                        .mcp_servers = {"m"},
                                        .file_references = {"f"},
                                        .url_references = {"u"},
                                        .code_state = CodeState{.repo_url = "r",
                                                                .branch = "b",
                                                                .working_diff = "w",
                                                                .branch_diff = "d",
                                                                .last_commit_hash = "l"},
                                        .checkpoint_id = "c",
                                        .meta = R"({"k":"v"})"};
  envelope.payload = R"({"n":100,"s":"\u00e9","o":{"x":null}})";
  return envelope;
}

using Change = std::function<void(Envelope&)>;

Uuid DigestAfter(const Change& change) {
  Envelope envelope = Sample();
  change(envelope);
  return ContentDigest(envelope);
}

TEST_CASE("another way to write the same content has the same digest") {
  const Uuid digest = ContentDigest(Sample());
  const std::map<std::string, Change> changes = {
      {"the id is not content", [](Envelope& e) { e.id = FakeId(99); }},
      {"parents are a set",
       [](Envelope& e) {
         e.parents = {FakeId(3), FakeId(2)};
       }},
      {"time below a microsecond is cut", [](Envelope& e) { e.time += absl::Nanoseconds(999); }},
      {"payload: order, blanks, escapes, numbers",
       [](Envelope& e) {
         e.payload = "{ \"o\" : {\"x\":null}, \"s\":\"\xC3\xA9\",\"n\":1.00e2 }";
       }},
      {"source.meta: order and nulls",
       [](Envelope& e) { e.source.meta = R"({"b":[2.0],"z":null,"a":1})"; }},
      {"context.meta: nulls", [](Envelope& e) { e.agent_context->meta = R"({"k":"v","z":null})"; }},
  };
  for (const auto& [name, change] : changes) {
    CAPTURE(name);
    CHECK(DigestAfter(change) == digest);
  }
}

TEST_CASE("no context, an empty one and an empty code state are the same") {
  const Uuid without = DigestAfter([](Envelope& e) { e.agent_context.reset(); });
  CHECK(DigestAfter([](Envelope& e) { e.agent_context = AgentContext(); }) == without);
  CHECK(DigestAfter([](Envelope& e) {
          e.agent_context = AgentContext{.code_state = CodeState()};
        }) == without);
}

TEST_CASE("every difference in content changes the digest, and no two in the same way") {
  const std::map<std::string, Change> changes = {
      {"nothing", [](Envelope&) {}},
      {"type", [](Envelope& e) { e.type = "agent.letta.checkpoint.save"; }},
      {"a microsecond later", [](Envelope& e) { e.time += absl::Microseconds(1); }},
      {"a microsecond earlier", [](Envelope& e) { e.time -= absl::Microseconds(1); }},
      {"before 1970", [](Envelope& e) { e.time = absl::FromUnixMicros(-1769508000'123456); }},
      {"no time", [](Envelope& e) { e.time_given = false; }},
      {"version", [](Envelope& e) { e.version = "1.0.1"; }},
      {"no version", [](Envelope& e) { e.version = ""; }},
      {"host", [](Envelope& e) { e.source.host = "H"; }},
      {"source.type", [](Envelope& e) { e.source.type = "hook"; }},
      {"source.app", [](Envelope& e) { e.source.app = "x"; }},
      {"empty source.app", [](Envelope& e) { e.source.app = ""; }},
      {"no source.app", [](Envelope& e) { e.source.app.reset(); }},
      {"no source.meta", [](Envelope& e) { e.source.meta = ""; }},
      {"empty source.meta", [](Envelope& e) { e.source.meta = "{}"; }},
      {"another source.meta", [](Envelope& e) { e.source.meta = R"({"a":1,"b":[3]})"; }},
      {"a parent less", [](Envelope& e) { e.parents = {FakeId(2)}; }},
      {"a parent more", [](Envelope& e) { e.parents.push_back(FakeId(4)); }},
      {"another parent", [](Envelope& e) { e.parents[0] = FakeId(4); }},
      {"no parents", [](Envelope& e) { e.parents.clear(); }},
      {"no context", [](Envelope& e) { e.agent_context.reset(); }},
      {"context.type", [](Envelope& e) { e.agent_context->type = "x"; }},
      {"no context.type", [](Envelope& e) { e.agent_context->type.reset(); }},
      {"context.name", [](Envelope& e) { e.agent_context->name = "x"; }},
      {"context.system_prompt", [](Envelope& e) { e.agent_context->system_prompt = "x"; }},
      {"context.instance_id", [](Envelope& e) { e.agent_context->instance_id = "x"; }},
      {"context.mcp_servers", [](Envelope& e) { e.agent_context->mcp_servers = {"x"}; }},
      {"two mcp_servers",
       [](Envelope& e) {
         e.agent_context->mcp_servers = {"m", "m"};
       }},
      {"mcp_servers moved",
       [](Envelope& e) {
         e.agent_context->mcp_servers.clear();
         e.agent_context->file_references = {"m", "f"};
       }},
      {"context.file_references", [](Envelope& e) { e.agent_context->file_references = {"x"}; }},
      {"context.url_references", [](Envelope& e) { e.agent_context->url_references = {"x"}; }},
      {"code.repo_url", [](Envelope& e) { e.agent_context->code_state->repo_url = "x"; }},
      {"code.branch", [](Envelope& e) { e.agent_context->code_state->branch = "x"; }},
      {"code.working_diff", [](Envelope& e) { e.agent_context->code_state->working_diff = "x"; }},
      {"code.branch_diff", [](Envelope& e) { e.agent_context->code_state->branch_diff = "x"; }},
      {"code.last_commit_hash",
       [](Envelope& e) { e.agent_context->code_state->last_commit_hash = "x"; }},
      {"no code", [](Envelope& e) { e.agent_context->code_state.reset(); }},
      {"context.checkpoint_id", [](Envelope& e) { e.agent_context->checkpoint_id = "x"; }},
      {"no context.checkpoint_id", [](Envelope& e) { e.agent_context->checkpoint_id.reset(); }},
      {"context.meta", [](Envelope& e) { e.agent_context->meta = R"({"k":"w"})"; }},
      {"no context.meta", [](Envelope& e) { e.agent_context->meta = ""; }},
      {"a digit of the payload",
       [](Envelope& e) {
         e.payload = R"({"n":100.00000000000000000001,"s":"\u00e9","o":{"x":null}})";
       }},
      {"a null in the payload",
       [](Envelope& e) { e.payload = R"({"n":100,"s":"\u00e9","o":{}})"; }},
      {"a text in the payload",
       [](Envelope& e) { e.payload = R"({"n":100,"s":"\u00c9","o":{"x":null}})"; }},
      {"no payload members", [](Envelope& e) { e.payload = "{}"; }},
      {"texts that run into each other",
       [](Envelope& e) {
         e.source.host = "h5:agent";
         e.source.type = "";
       }},
  };
  std::map<Uuid, std::string> seen;
  for (const auto& [name, change] : changes) {
    const auto [other, added] = seen.emplace(DigestAfter(change), name);
    CAPTURE(name, other->second);
    CHECK(added);
  }
}

TEST_CASE("a time that the producer did not give is no content") {
  const Uuid digest = DigestAfter([](Envelope& e) { e.time_given = false; });
  CHECK(DigestAfter([](Envelope& e) {
          e.time_given = false;
          e.time += absl::Hours(1);
        }) == digest);
}

TEST_CASE("the digest of an event never changes between releases: logs hold it") {
  // SHA-256, first 16 bytes, of "8:a.b.done0;5:1.0.01:h6:manual--0;" + a context without anything
  // ("----0[0[0[-------" ) + "{1:s1:ks1:v".
  Envelope envelope;
  envelope.type = "a.b.done";
  envelope.time = absl::UnixEpoch();
  envelope.source = {.host = "h", .type = "manual"};
  envelope.payload = R"({"k":"v"})";
  CHECK(ContentDigest(envelope).ToString() == "95dc9876-b661-e0a7-71ca-5ee25d64b3b8");
}

}  // namespace
}  // namespace god33::event
