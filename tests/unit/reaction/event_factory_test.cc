#include "reaction/event_factory.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "event/digest.h"
#include "testing/fake_clock.h"
#include "testing/fake_ids.h"

namespace god33::reaction {
namespace {

using testing::FakeId;

constexpr char kWorkflow[] = R"({"workflow_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff"})";

struct Fixture {
  wire::PayloadRegistry registry;
  testing::FakeClock clock{absl::FromUnixNanos(1769508000123456789)};
  testing::FakeIds ids;
  EventFactory factory{"letta-bridge", "host-1", registry, clock, ids};
};

TEST_CASE(
    "a service's event has an id, the time in microseconds, the service as source, and is "
    "appended") {
  Fixture fixture;
  const auto event = fixture.factory.Make(
      {.type = "bmad.workflow.completed", .payload = kWorkflow, .parents = {FakeId(7), FakeId(8)}});
  REQUIRE(event.ok());
  const event::Envelope& envelope = event->envelope;
  CHECK(envelope.id == FakeId(1));
  CHECK(envelope.time == absl::FromUnixMicros(1769508000123456));
  CHECK(envelope.version == "1.0.0");
  CHECK(envelope.source ==
        event::Source{.host = "host-1", .type = "service", .app = "letta-bridge", .meta = ""});
  CHECK(envelope.parents == std::vector{FakeId(7), FakeId(8)});
  CHECK_FALSE(envelope.agent_context);
  CHECK(envelope.payload == kWorkflow);
  CHECK(event->facts.workflow_id.has_value());
  CHECK(event->digest == event::ContentDigest(envelope));
  CHECK(event->payload_errors.empty());
  CHECK(event->routing_key.empty());
  CHECK(event->appended);
  CHECK(fixture.factory.Make({.type = "a.b", .payload = "{}"})->envelope.id == FakeId(2));
}

TEST_CASE("a service's event takes the id and the agent's context it is given") {
  Fixture fixture;
  event::AgentContext context;
  context.instance_id = "letta-1";
  const auto event = fixture.factory.Make(
      {.type = "a.b", .payload = "{}", .agent_context = context, .id = FakeId(99)});
  REQUIRE(event.ok());
  CHECK(event->envelope.id == FakeId(99));
  CHECK(event->facts.agent_id == "letta-1");
}

TEST_CASE("parents are distinct, in their order, and an event is no parent of itself") {
  Fixture fixture;
  const auto event = fixture.factory.Make({.type = "a.b",
                                           .payload = "{}",
                                           .parents = {FakeId(3), FakeId(9), FakeId(3), FakeId(2)},
                                           .id = FakeId(9)});
  REQUIRE(event.ok());
  CHECK(event->envelope.parents == std::vector{FakeId(3), FakeId(2)});
}

TEST_CASE("what is no event, or breaks its schema, is the service's own mistake") {
  Fixture fixture;
  const auto fails = [&fixture](const EventDraft& draft, const std::string& why) {
    const absl::Status status = fixture.factory.Make(draft).status();
    INFO(status);
    CHECK(status.code() == absl::StatusCode::kInternal);
    CHECK(ReasonOf(status) == "EVENT_INVALID");
    CHECK(MessageOf(status).find(why) != std::string_view::npos);
  };
  fails({.type = "no type", .payload = "{}"}, "event_type");
  fails({.type = "", .payload = "{}"}, "event_type");
  fails({.type = "a.b", .payload = ""}, "JSON");
  fails({.type = "a.b", .payload = "{} {}"}, "JSON");
  fails({.type = "a.b", .payload = "[]"}, "no object");
  fails({.type = "a.b", .payload = "\xff{}"}, "UTF-8");
  fails({.type = "bmad.workflow.completed", .payload = "{}"}, "payload.workflow_id");
  fails({.type = "bmad.workflow.completed", .payload = R"({"workflow_id":7})"},
        "payload.workflow_id");
  std::vector<Uuid> many;
  for (std::uint64_t i = 0; i <= event::kMaxParents; ++i) many.push_back(FakeId(100 + i));
  fails({.type = "a.b", .payload = "{}", .parents = many}, "correlation_ids");
}

}  // namespace
}  // namespace god33::reaction
