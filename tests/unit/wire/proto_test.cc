#include "wire/proto.h"

#include <catch2/catch.hpp>
#include <functional>
#include <map>

#include "base/error.h"
#include "event/digest.h"
#include "unit/printers.h"

namespace god33::wire {
namespace {

using event::AgentContext;
using event::CodeState;
using event::Envelope;
using event::Source;
using event::v1::EventEnvelope;

EventEnvelope Sample() {
  EventEnvelope proto;
  proto.set_event_id("6F9619FF-8B86-4011-B42D-00C04FC964FF");
  proto.set_event_type("agent.letta.checkpoint.saved");
  proto.mutable_timestamp()->set_seconds(1769508000);
  proto.mutable_timestamp()->set_nanos(123'456'789);
  proto.set_version("1.1.0");
  proto.mutable_source()->set_host("h");
  proto.mutable_source()->set_type("agent");
  proto.mutable_source()->set_app("bridge");
  proto.mutable_source()->mutable_meta()->set_text("{\"k\":1}");
  proto.add_correlation_ids("11111111-1111-4111-8111-111111111111");
  auto& context = *proto.mutable_agent_context();
  context.set_type("letta");
  context.set_name("n");
  context.set_system_prompt("p");
  context.set_instance_id("i-1");
  context.add_mcp_servers("m");
  context.add_file_references("f");
  context.add_url_references("u");
  context.mutable_code_state()->set_repo_url("r");
  context.mutable_code_state()->set_branch("b");
  context.mutable_code_state()->set_working_diff("w");
  context.mutable_code_state()->set_branch_diff("d");
  context.mutable_code_state()->set_last_commit_hash("l");
  context.set_checkpoint_id("c-1");
  context.mutable_meta()->set_text("[1]");
  proto.mutable_payload()->set_text(" {\"n\": 1e5} ");
  return proto;
}

Envelope Read(const EventEnvelope& proto) {
  const auto envelope = FromProto(proto);
  INFO(envelope.status());
  REQUIRE(envelope.ok());
  return *envelope;
}

TEST_CASE("an envelope is read from protobuf field by field") {
  const Envelope envelope = Read(Sample());
  CHECK(envelope.id == Uuid::Parse("6f9619ff-8b86-4011-b42d-00c04fc964ff"));
  CHECK(envelope.type == "agent.letta.checkpoint.saved");
  CHECK(envelope.time == absl::FromUnixMicros(1769508000'123456));
  CHECK(envelope.time_given);
  CHECK(envelope.version == "1.1.0");
  CHECK(envelope.source ==
        Source{.host = "h", .type = "agent", .app = "bridge", .meta = "{\"k\":1}"});
  CHECK(envelope.parents ==
        std::vector<Uuid>{*Uuid::Parse("11111111-1111-4111-8111-111111111111")});
  CHECK(envelope.agent_context == AgentContext{.type = "letta",
                                               .name = "n",
                                               .system_prompt = "p",
                                               .instance_id = "i-1",
                                               .mcp_servers = {"m"},
                                               .file_references = {"f"},
                                               .url_references = {"u"},
                                               .code_state = CodeState{.repo_url = "r",
                                                                       .branch = "b",
                                                                       .working_diff = "w",
                                                                       .branch_diff = "d",
                                                                       .last_commit_hash = "l"},
                                               .checkpoint_id = "c-1",
                                               .meta = "[1]"});
  CHECK(envelope.payload == "{\"n\": 1e5}");
}

TEST_CASE("what the store sets is ignored") {
  EventEnvelope proto = Sample();
  proto.set_position(7);
  proto.mutable_recorded_at()->set_seconds(-1);
  proto.add_payload_errors("x");
  CHECK(event::ContentDigest(Read(proto)) == event::ContentDigest(Read(Sample())));
}

TEST_CASE("an empty version is the first one") {
  EventEnvelope proto = Sample();
  proto.clear_version();
  CHECK(Read(proto).version == "1.0.0");
}

TEST_CASE("an empty context is none, and an absent text is not an empty one") {
  EventEnvelope proto = Sample();
  proto.clear_agent_context();
  proto.mutable_agent_context();
  CHECK_FALSE(Read(proto).agent_context);
  proto.mutable_agent_context()->set_name("");
  CHECK(Read(proto).agent_context == AgentContext{.name = ""});
  proto.mutable_source()->clear_app();
  CHECK_FALSE(Read(proto).source.app);
  proto.mutable_source()->set_app("");
  CHECK(Read(proto).source.app == "");
}

TEST_CASE("duplicate parents and the event's own id are dropped") {
  EventEnvelope proto = Sample();
  proto.add_correlation_ids("6f9619ff-8b86-4011-b42d-00c04fc964ff");
  proto.add_correlation_ids("22222222-2222-4222-8222-222222222222");
  proto.add_correlation_ids("11111111111141118111111111111111");
  CHECK(Read(proto).parents ==
        std::vector<Uuid>{*Uuid::Parse("11111111-1111-4111-8111-111111111111"),
                          *Uuid::Parse("22222222-2222-4222-8222-222222222222")});
}

TEST_CASE("a meta that is null is none, as on the bus") {
  EventEnvelope proto = Sample();
  proto.mutable_source()->mutable_meta()->set_text(" null ");
  proto.mutable_agent_context()->mutable_meta()->set_text("null");
  CHECK(Read(proto).source.meta.empty());
  CHECK(Read(proto).agent_context->meta.empty());
}

TEST_CASE("each error names the field of the message") {
  using Change = std::function<void(EventEnvelope&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"event_id", [](EventEnvelope& e) { e.clear_event_id(); }},
      {"event_id", [](EventEnvelope& e) { e.set_event_id("x"); }},
      {"event_type", [](EventEnvelope& e) { e.clear_event_type(); }},
      {"event_type", [](EventEnvelope& e) { e.set_event_type("a.*"); }},
      {"timestamp", [](EventEnvelope& e) { e.clear_timestamp(); }},
      {"timestamp", [](EventEnvelope& e) { e.mutable_timestamp()->set_seconds(253402300800); }},
      {"timestamp", [](EventEnvelope& e) { e.mutable_timestamp()->set_seconds(-62135596801); }},
      {"timestamp", [](EventEnvelope& e) { e.mutable_timestamp()->set_nanos(-1); }},
      {"timestamp", [](EventEnvelope& e) { e.mutable_timestamp()->set_nanos(1'000'000'000); }},
      {"version", [](EventEnvelope& e) { e.set_version("123456789012345678901"); }},
      {"source", [](EventEnvelope& e) { e.clear_source(); }},
      {"source.meta", [](EventEnvelope& e) { e.mutable_source()->mutable_meta()->set_text("{"); }},
      {"agent_context.meta",
       [](EventEnvelope& e) { e.mutable_agent_context()->mutable_meta()->set_text("x"); }},
      {"correlation_ids[1]", [](EventEnvelope& e) { e.add_correlation_ids("msg-16"); }},
      {"correlation_ids[1]", [](EventEnvelope& e) { e.add_correlation_ids(""); }},
      {"payload", [](EventEnvelope& e) { e.clear_payload(); }},
      {"payload", [](EventEnvelope& e) { e.mutable_payload()->clear_text(); }},
      {"payload", [](EventEnvelope& e) { e.mutable_payload()->set_text("[]"); }},
      {"payload", [](EventEnvelope& e) { e.mutable_payload()->set_text("{\"a\":}"); }},
      {"payload", [](EventEnvelope& e) { e.mutable_payload()->set_text("null"); }},
  };
  for (const auto& [field, change] : changes) {
    EventEnvelope proto = Sample();
    change(proto);
    CAPTURE(field, proto.ShortDebugString());
    const absl::Status status = FromProto(proto).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(ReasonOf(status) == "INVALID_ARGUMENT");
    CHECK(FieldOf(status) == field);
    CHECK(MessageOf(status).starts_with(field + ": "));
  }
}

TEST_CASE("too many parents are refused") {
  EventEnvelope proto = Sample();
  proto.clear_correlation_ids();
  for (int i = 0; i < 1001; ++i) {
    proto.add_correlation_ids(Uuid::NameBased(kNamespaceOid, std::to_string(i)).ToString());
  }
  CHECK(FieldOf(FromProto(proto).status()) == "correlation_ids");
  proto.mutable_correlation_ids()->RemoveLast();
  CHECK(Read(proto).parents.size() == 1000);
}

TEST_CASE("the first and the last instant of the calendar are read and written") {
  for (const std::int64_t seconds : {std::int64_t{-62135596800}, std::int64_t{253402300799}}) {
    EventEnvelope proto = Sample();
    proto.mutable_timestamp()->set_seconds(seconds);
    proto.mutable_timestamp()->set_nanos(999'999'999);
    const google::protobuf::Timestamp time = ToProto(Read(proto).time);
    CHECK(time.seconds() == seconds);
    CHECK(time.nanos() == 999'999'000);
  }
}

TEST_CASE("an envelope is written to protobuf field by field") {
  EventEnvelope expected = Sample();
  expected.set_event_id("6f9619ff-8b86-4011-b42d-00c04fc964ff");
  expected.mutable_timestamp()->set_nanos(123'456'000);
  expected.mutable_payload()->set_text("{\"n\": 1e5}");
  EventEnvelope proto;
  ToProto(Read(Sample()), proto);
  CHECK(proto.DebugString() == expected.DebugString());
}

TEST_CASE("what an envelope lacks is absent in protobuf") {
  Envelope envelope;
  envelope.type = "a.b";
  envelope.source = {.host = "h", .type = "hook"};
  envelope.payload = "{}";
  EventEnvelope proto;
  ToProto(envelope, proto);
  CHECK_FALSE(proto.has_agent_context());
  CHECK_FALSE(proto.source().has_app());
  CHECK_FALSE(proto.source().has_meta());
  CHECK_FALSE(proto.has_recorded_at());
  CHECK(proto.position() == 0);
  envelope.agent_context = AgentContext{.code_state = CodeState{.branch = ""}};
  ToProto(envelope, proto);
  CHECK(proto.agent_context().code_state().has_branch());
  CHECK_FALSE(proto.agent_context().code_state().has_repo_url());
  CHECK_FALSE(proto.agent_context().has_type());
}

}  // namespace
}  // namespace god33::wire
