#include "event/check.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "testing/fake_ids.h"
#include "unit/printers.h"

namespace god33::event {
namespace {

using testing::FakeId;

Envelope Valid() {
  Envelope envelope;
  envelope.id = FakeId(1);
  envelope.type = "bmad.workflow.started";
  envelope.time = absl::FromUnixSeconds(1769508000);
  envelope.payload = "{}";
  return envelope;
}

// The field that the check complains about; empty: none.
std::string FaultOf(const Envelope& envelope) {
  const absl::Status status = CheckEnvelope(envelope);
  if (status.ok()) return {};
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "invalid_envelope");
  CHECK(MessageOf(status).starts_with(FieldOf(status) + ": "));
  return FieldOf(status);
}

TEST_CASE("an ordinary envelope is valid") {
  CHECK(FaultOf(Valid()).empty());
}

TEST_CASE("an envelope needs an event type") {
  Envelope envelope = Valid();
  for (const char* type : {"", "a..b", "agent.*", "a b"}) {
    envelope.type = type;
    CHECK(FaultOf(envelope) == "event_type");
  }
}

TEST_CASE("a version has at most 20 characters and no NUL") {
  Envelope envelope = Valid();
  envelope.version = std::string(20, '1');
  CHECK(FaultOf(envelope).empty());
  envelope.version.push_back('1');
  CHECK(FaultOf(envelope) == "version");
  envelope.version = std::string("1\0", 2);
  CHECK(FaultOf(envelope) == "version");
}

TEST_CASE("characters of a version are counted, not bytes") {
  Envelope envelope = Valid();
  envelope.version.clear();
  for (int i = 0; i < 20; ++i) envelope.version.append("\xC3\xA9");
  CHECK(FaultOf(envelope).empty());
  envelope.version.append("\xC3\xA9");
  CHECK(FaultOf(envelope) == "version");
}

TEST_CASE("an event has at most 1,000 parents") {
  Envelope envelope = Valid();
  for (std::uint64_t i = 0; i < 1000; ++i) envelope.parents.push_back(FakeId(100 + i));
  CHECK(FaultOf(envelope).empty());
  envelope.parents.push_back(FakeId(5000));
  CHECK(FaultOf(envelope) == "correlation_ids");
}

TEST_CASE("an event's time lies in the years 1 to 9999") {
  Envelope envelope = Valid();
  envelope.time = absl::FromUnixMicros(-62135596800'000'000);
  CHECK(FaultOf(envelope).empty());
  envelope.time = absl::FromUnixMicros(253402300799'999'999);
  CHECK(FaultOf(envelope).empty());
  for (const absl::Time time :
       {absl::FromUnixMicros(-62135596800'000'001), absl::FromUnixMicros(253402300800'000'000),
        absl::InfiniteFuture(), absl::InfinitePast()}) {
    envelope.time = time;
    CHECK(FaultOf(envelope) == "timestamp");
  }
}

TEST_CASE("an invalid envelope's error names the field and its reason") {
  const absl::Status status = InvalidEnvelope("payload", "expected an object, got none");
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "invalid_envelope");
  CHECK(FieldOf(status) == "payload");
  CHECK(MessageOf(status) == "payload: expected an object, got none");
}

}  // namespace
}  // namespace god33::event
