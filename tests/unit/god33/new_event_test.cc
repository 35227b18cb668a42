#include "tools/god33/new_event.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/timestamp.h"
#include "json/value.h"
#include "unit/printers.h"

namespace god33::cli {
namespace {

constexpr char kId[] = "0199a000-0000-7000-8000-000000000001";
constexpr char kParent[] = "0199a000-0000-7000-8000-000000000002";

class Fixed final : public Clock, public IdSource {
 public:
  absl::Time Now() override {
    return *ParseTimestamp("2026-01-27T10:00:00.123456Z") + absl::Nanoseconds(789);
  }
  Uuid New() override { return *Uuid::Parse(kId); }
};

absl::StatusOr<event::Envelope> Make(const EventDraft& draft) {
  Fixed fixed;
  return MakeEnvelope(draft, "myhost", fixed, fixed);
}

std::string FieldAtFault(const EventDraft& draft) {
  const auto envelope = Make(draft);
  REQUIRE_FALSE(envelope.ok());
  CHECK(envelope.status().code() == absl::StatusCode::kInvalidArgument);
  return FieldOf(envelope.status());
}

TEST_CASE("a new event gets an id, the time, and this host's agent god33 as its source") {
  const auto envelope = Make({.type = "a.b", .payload = "{}"});
  REQUIRE(envelope.ok());
  CHECK(*MakeMessage(*envelope) ==
        R"({"event_id":"0199a000-0000-7000-8000-000000000001","event_type":"a.b",)"
        R"("timestamp":"2026-01-27T10:00:00.123456Z","version":"1.0.0",)"
        R"("source":{"host":"myhost","type":"agent","app":"god33","meta":null},)"
        R"("correlation_ids":[],"agent_context":null,"payload":{}})");
}

TEST_CASE("what is given replaces the defaults") {
  const auto envelope = Make({.type = "a.b",
                              .payload = "{}",
                              .id = kParent,
                              .time = "2026-01-01T00:00:00+01:00",
                              .source_host = "h",
                              .source_type = "hook",
                              .source_app = "bmad",
                              .source_meta = R"({"run":12345678901234567890})",
                              .agent_type = "letta",
                              .agent_name = "py",
                              .agent_instance = "py-1",
                              .checkpoint_id = "c9"});
  REQUIRE(envelope.ok());
  CHECK(envelope->id == *Uuid::Parse(kParent));
  CHECK(FormatTimestamp(envelope->time) == "2025-12-31T23:00:00Z");
  CHECK(envelope->source ==
        event::Source{
            .host = "h", .type = "hook", .app = "bmad", .meta = R"({"run":12345678901234567890})"});
  REQUIRE(envelope->agent_context);
  CHECK(envelope->agent_context->type == "letta");
  CHECK(envelope->agent_context->name == "py");
  CHECK(envelope->agent_context->instance_id == "py-1");
  CHECK(envelope->agent_context->checkpoint_id == "c9");
}

TEST_CASE("a payload travels digit for digit") {
  const std::string payload =
      R"({"n":123456789012345678901234567890.10,"i":9007199254740993,"z":"a\u0000b",)"
      R"("é":1e400, "a":1,"a":2})";
  const auto envelope = Make({.type = "a.b", .payload = " " + payload + "\n"});
  REQUIRE(envelope.ok());
  const std::string message = *MakeMessage(*envelope);
  CHECK(json::Value::Parse(message)->Find("payload")->text() == payload);
}

TEST_CASE("equal parents count once, and an event is not its own parent") {
  const auto envelope = Make({.type = "a.b",
                              .payload = "{}",
                              .parents = {kParent, kId, "0199A000-0000-7000-8000-000000000002"}});
  REQUIRE(envelope.ok());
  CHECK(envelope->parents == std::vector<Uuid>{*Uuid::Parse(kParent)});
}

TEST_CASE("an argument that can't be used is named") {
  CHECK(FieldAtFault({.type = "", .payload = "{}"}) == "TYPE");
  CHECK(FieldAtFault({.type = "a.*", .payload = "{}"}) == "TYPE");
  CHECK(FieldAtFault({.type = "a.b", .payload = ""}) == "--json");
  CHECK(FieldAtFault({.type = "a.b", .payload = "[1]"}) == "--json");
  CHECK(FieldAtFault({.type = "a.b", .payload = "{\"a\":}"}) == "--json");
  CHECK(FieldAtFault({.type = "a.b", .payload = "{\"a\":\"\xFF\"}"}) == "--json");
  CHECK(FieldAtFault({.type = "a.b", .payload = "{}", .id = "7"}) == "--event-id");
  CHECK(FieldAtFault({.type = "a.b", .payload = "{}", .time = "now"}) == "--timestamp");
  CHECK(FieldAtFault({.type = "a.b", .payload = "{}", .parents = {"x"}}) == "--correlation-id");
  CHECK(FieldAtFault({.type = "a.b", .payload = "{}", .source_meta = "7"}) == "--source-meta");
}

TEST_CASE("more parents than an envelope holds are refused") {
  EventDraft draft{.type = "a.b", .payload = "{}"};
  for (int i = 0; i <= 1000; ++i) {
    draft.parents.push_back(Uuid::NameBased(kNamespaceOid, std::to_string(i)).ToString());
  }
  CHECK(FieldAtFault(draft) == "correlation_ids");
}

TEST_CASE("an event that is too large for the store is refused before it is published") {
  const auto large =
      Make({.type = "a.b", .payload = "{\"x\":\"" + std::string(16 << 20, 'a') + "\"}"});
  REQUIRE(large.ok());
  CHECK(ReasonOf(MakeMessage(*large).status()) == "TOO_LARGE");
}

TEST_CASE("a payload may be nested as deeply as the store takes it, and no deeper") {
  const auto nested = [](std::size_t levels) {
    return "{\"x\":" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
  };
  const auto deep = Make({.type = "a.b", .payload = nested(1000)});
  REQUIRE(deep.ok());
  CHECK(MakeMessage(*deep).ok());
  CHECK(FieldAtFault({.type = "a.b", .payload = nested(1001)}) == "--json");
}

}  // namespace
}  // namespace god33::cli
