#include "services/event-store-manager/append_request.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "event/digest.h"
#include "testing/fake_clock.h"
#include "testing/fake_ids.h"
#include "unit/printers.h"

namespace god33::manager {
namespace {

using event::v1::EventEnvelope;
using testing::FakeId;

struct Fixture {
  wire::PayloadRegistry registry;
  testing::FakeClock clock;
  testing::FakeIds ids;

  absl::StatusOr<sequence::NewEvent> Read(const EventEnvelope& proto, const AppendTerms& terms = {},
                                          const std::string& path = "event") {
    return ReadNewEvent(proto, path, "director", terms, registry, clock, ids);
  }
};

EventEnvelope Least() {
  EventEnvelope proto;
  proto.set_event_type("a.b");
  proto.mutable_payload()->set_text(R"({"project_name":"p"})");
  return proto;
}

TEST_CASE_METHOD(Fixture, "what an append leaves out is filled in: id, time and source") {
  const auto event = Read(Least());
  REQUIRE(event.ok());
  CHECK(event->envelope.id == FakeId(1));
  CHECK(event->envelope.time == clock.Now());
  CHECK(event->envelope.source ==
        event::Source{.host = "unknown", .type = "service", .app = "director"});
  CHECK(event->envelope.version == "1.0.0");
  CHECK(Read(Least())->envelope.id == FakeId(2));
}

TEST_CASE_METHOD(Fixture, "what an append gives is kept") {
  EventEnvelope proto = Least();
  proto.set_event_id("6f9619ff-8b86-4011-b42d-00c04fc964ff");
  proto.mutable_timestamp()->set_seconds(7);
  proto.mutable_source()->set_host("h");
  proto.mutable_source()->set_type("agent");
  const auto event = Read(proto);
  REQUIRE(event.ok());
  CHECK(event->envelope.id == Uuid::Parse("6f9619ff-8b86-4011-b42d-00c04fc964ff"));
  CHECK(event->envelope.time == absl::FromUnixSeconds(7));
  CHECK(event->envelope.source == event::Source{.host = "h", .type = "agent"});
  CHECK(ids.New() == FakeId(1));
}

TEST_CASE_METHOD(Fixture, "an appended event is prepared for the log and for the relay") {
  const auto event = Read(Least());
  REQUIRE(event.ok());
  CHECK(event->appended);
  CHECK(event->facts.project == "p");
  CHECK(event->digest == event::ContentDigest(event->envelope));
  CHECK(event->routing_key.empty());
  CHECK(event->payload_errors.empty());
}

TEST_CASE_METHOD(Fixture, "a filled-in time has whole microseconds") {
  clock.Advance(absl::Nanoseconds(1'999));
  CHECK(Read(Least())->envelope.time == absl::FromUnixMicros(1769508000'000001));
}

TEST_CASE_METHOD(Fixture, "errors name the field below the event's path") {
  EventEnvelope proto = Least();
  proto.set_event_id("x");
  const absl::Status status = Read(proto, {}, "events[3]").status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "INVALID_ARGUMENT");
  CHECK(FieldOf(status) == "events[3].event_id");
  CHECK(MessageOf(status) == "events[3].event_id: expected a UUID, got \"x\"");

  CHECK(FieldOf(Read(EventEnvelope()).status()).starts_with("event."));
  proto = Least();
  proto.clear_payload();
  CHECK(FieldOf(Read(proto).status()) == "event.payload");
  proto = Least();
  proto.clear_event_type();
  CHECK(FieldOf(Read(proto).status()) == "event.event_type");
  proto = Least();
  proto.mutable_source()->mutable_meta()->set_text("{");
  CHECK(FieldOf(Read(proto).status()) == "event.source.meta");
}

TEST_CASE_METHOD(Fixture, "a payload that breaks its schema is flagged, or refused when strict") {
  EventEnvelope proto = Least();
  proto.set_event_type("bmad.workflow.started");
  const auto event = Read(proto);
  REQUIRE(event.ok());
  CHECK(event->payload_errors == std::vector<std::string>{"workflow_id: is required"});

  const absl::Status status = Read(proto, {.validate = "strict"}, "events[0]").status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "PAYLOAD_INVALID");
  CHECK(FieldOf(status) == "events[0].payload");
  CHECK(MessageOf(status) == "events[0].payload: workflow_id: is required");
}

TEST_CASE_METHOD(Fixture, "strict takes what keeps its schema, and unknown types") {
  CHECK(Read(Least(), {.validate = "strict"}).ok());
  EventEnvelope proto = Least();
  proto.set_event_type("bmad.workflow.started");
  proto.mutable_payload()->set_text(
      R"({"workflow_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","project_name":"p"})");
  CHECK(Read(proto, {.validate = "strict"}).ok());
}

std::string FaultOf(const AppendTerms& terms) {
  const absl::Status status = ReadTerms(terms).status();
  if (status.ok()) return {};
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  return FieldOf(status);
}

TEST_CASE("an append may name no aggregate") {
  const auto aggregate = ReadTerms({});
  REQUIRE(aggregate.ok());
  CHECK_FALSE(aggregate->has_value());
  CHECK(FaultOf({.validate = "strict"}).empty());
}

TEST_CASE("an aggregate is a kind and a UUID, and may come with a version") {
  const auto plain = ReadTerms({.aggregate = "workflow/6F9619FF8B864011B42D00C04FC964FF"});
  REQUIRE(plain.ok());
  CHECK((*plain)->name == "workflow/6f9619ff-8b86-4011-b42d-00c04fc964ff");
  CHECK_FALSE((*plain)->expected_version);
  const auto versioned =
      ReadTerms({.aggregate = "task/6f9619ff-8b86-4011-b42d-00c04fc964ff", .expected_version = 0});
  REQUIRE(versioned.ok());
  CHECK((*versioned)->expected_version == 0);
}

TEST_CASE("what is no aggregate is refused") {
  for (const char* name :
       {"workflow", "workflow/", "/6f9619ff-8b86-4011-b42d-00c04fc964ff",
        "6f9619ff-8b86-4011-b42d-00c04fc964ff", "Workflow/6f9619ff-8b86-4011-b42d-00c04fc964ff",
        "work flow/6f9619ff-8b86-4011-b42d-00c04fc964ff", "workflow/x", "workflow/7",
        "a/b/6f9619ff-8b86-4011-b42d-00c04fc964ff",
        "workflow/6f9619ff-8b86-4011-b42d-00c04fc964ff/",
        "workflow//6f9619ff-8b86-4011-b42d-00c04fc964ff", "w1/6f9619ff-8b86-4011-b42d-00c04fc964ff",
        "w\xC3\xA9/6f9619ff-8b86-4011-b42d-00c04fc964ff"}) {
    CAPTURE(name);
    CHECK(FaultOf({.aggregate = name}) == "aggregate");
  }
}

TEST_CASE("an expected version is no less than 0, and comes with an aggregate") {
  CHECK(FaultOf({.expected_version = 1}) == "expected_version");
  CHECK(FaultOf({.aggregate = "task/6f9619ff-8b86-4011-b42d-00c04fc964ff",
                 .expected_version = -1}) == "expected_version");
}

TEST_CASE("validation is strict or left out") {
  CHECK(FaultOf({.validate = "lax"}) == "validate");
  CHECK(FaultOf({.validate = "Strict"}) == "validate");
}

}  // namespace
}  // namespace god33::manager
