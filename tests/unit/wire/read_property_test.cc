#include <google/protobuf/stubs/logging.h>

#include <catch2/catch.hpp>

#include "base/strings.h"
#include "base/timestamp.h"
#include "event/digest.h"
#include "event/write.h"
#include "json/value.h"
#include "testing/envelope.h"
#include "testing/json_tree.h"
#include "unit/printers.h"
#include "wire/proto.h"
#include "wire/read.h"

// Random envelopes and random messages: what is written is read as the same event, and whatever comes is
// either an error or an envelope that keeps its promises.

namespace god33::wire {
namespace {

using event::AgentContext;
using event::CodeState;
using event::ContentDigest;
using event::Envelope;
using testing::Random;

std::string Text(Random& random) {
  if (random.OneIn(10)) return std::string(random.Below(3000), 'x');
  return testing::Utf8(testing::RandomUnits(random));
}

std::optional<std::string> MaybeText(Random& random) {
  return random.OneIn(2) ? std::optional(Text(random)) : std::nullopt;
}

std::vector<std::string> Texts(Random& random) {
  std::vector<std::string> texts;
  for (std::size_t i = random.Below(3); i > 0; --i) texts.push_back(Text(random));
  return texts;
}

// JSON text as an envelope holds it: without blanks around it, none instead of null.
std::string JsonText(Random& random, const testing::JsonTree& tree) {
  const std::string text = WriteJsonTree(random, tree);
  const json::Value value = json::Value::Checked(text);
  return value.is_null() ? std::string() : std::string(value.text());
}

std::string Meta(Random& random) {
  return random.OneIn(2) ? std::string() : JsonText(random, testing::RandomJson(random));
}

Envelope RandomEnvelope(Random& random) {
  static constexpr std::string_view kTypes[] = {"a", "agent.letta.checkpoint.saved", "a.!\"\\/.b"};
  static constexpr std::string_view kVersions[] = {"1.0.0", "2", "v\"\n", "\xF0\x9F\x98\x80"};
  Envelope envelope;
  envelope.id = random.Id();
  envelope.type = random.Pick(kTypes);
  envelope.time = absl::FromUnixMicros(random.Between(-62135596800'000'000, 253402300799'999'999));
  envelope.version = random.Pick(kVersions);
  envelope.source = {
      .host = Text(random), .type = Text(random), .app = MaybeText(random), .meta = Meta(random)};
  for (std::size_t i = random.Below(4); i > 0; --i) envelope.parents.push_back(random.Id());
  if (random.OneIn(2)) {
    AgentContext context{.type = MaybeText(random),
                         .name = MaybeText(random),
                         .system_prompt = MaybeText(random),
                         .instance_id = MaybeText(random),
                         .mcp_servers = Texts(random),
                         .file_references = Texts(random),
                         .url_references = Texts(random),
                         .checkpoint_id = MaybeText(random),
                         .meta = Meta(random)};
    if (random.OneIn(2)) {
      context.code_state = CodeState{.repo_url = MaybeText(random),
                                     .branch = MaybeText(random),
                                     .working_diff = MaybeText(random),
                                     .branch_diff = MaybeText(random),
                                     .last_commit_hash = MaybeText(random)};
    }
    if (context != AgentContext()) envelope.agent_context = std::move(context);
  }
  envelope.payload = JsonText(random, testing::RandomJsonObject(random, {.depth = 4}));
  return envelope;
}

void RequireSame(const Envelope& a, const Envelope& b) {
  REQUIRE(a.id == b.id);
  REQUIRE(a.type == b.type);
  REQUIRE(a.time == b.time);
  REQUIRE(a.version == b.version);
  REQUIRE(a.source == b.source);
  REQUIRE(a.parents == b.parents);
  REQUIRE(a.agent_context == b.agent_context);
  REQUIRE(a.payload == b.payload);
  REQUIRE(ContentDigest(a) == ContentDigest(b));
}

Envelope Read(std::string_view body, std::string_view content_type) {
  const auto envelope =
      ReadMessage({.body = body, .content_type = content_type, .received_at = absl::UnixEpoch()});
  INFO(envelope.status());
  REQUIRE(envelope.ok());
  return *envelope;
}

TEST_CASE("what is written as JSON is read as the same event") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Random random(seed);
    const Envelope envelope = RandomEnvelope(random);
    const std::string body = event::WriteJson(envelope);
    CAPTURE(seed, body);
    RequireSame(Read(body, "application/json"), envelope);
  }
}

TEST_CASE("what is written as protobuf is read as the same event") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Random random(seed);
    const Envelope envelope = RandomEnvelope(random);
    event::v1::EventEnvelope proto;
    ToProto(envelope, proto);
    CAPTURE(seed, proto.ShortDebugString());
    // An empty code state is no content, but it is there.
    RequireSame(Read(proto.SerializeAsString(), "application/protobuf"), envelope);
  }
}

void RequireSound(const Envelope& envelope) {
  REQUIRE(testing::FaultOf(envelope) == "");
}

// A message of no shape in particular: known keys with likely and unlikely values.
std::string RandomBody(Random& random) {
  static constexpr std::string_view kKeys[] = {"event_id",
                                               "event_type",
                                               "timestamp",
                                               "version",
                                               "source",
                                               "payload",
                                               "correlation_ids",
                                               "agent_context",
                                               "correlation_id",
                                               "causation_id",
                                               "metadata",
                                               "hook_type",
                                               "id",
                                               "ts",
                                               "data",
                                               "specversion",
                                               "type",
                                               "time",
                                               "correlationid",
                                               "causationid",
                                               "producer",
                                               "target",
                                               "session_id",
                                               "meta",
                                               "x"};
  static constexpr std::string_view kValues[] = {
      "\"6f9619ff-8b86-4011-b42d-00c04fc964ff\"",
      "\"2026-01-27T10:00:00.5Z\"",
      "\"a.b\"",
      "\"tonny/host\"",
      "{}",
      "{\"host\":\"h\",\"type\":\"t\",\"app\":null,\"meta\":{\"k\":1},\"more\":2}",
      "{\"source\":\"zellij\",\"correlation_id\":\"x\",\"version\":1}",
      "{\"type\":\"t\",\"mcp_servers\":[1],\"code_state\":{\"branch\":\"b\"}}",
      "[\"11111111-1111-4111-8111-111111111111\",\"p\",3,null]",
      "1769508000.25",
      "null",
      "\"\""};
  // What most shapes need, so that many are read.
  std::vector<std::pair<std::string_view, std::string_view>> members = {
      {"event_type", kValues[2]}, {"type", kValues[2]},    {"timestamp", kValues[1]},
      {"ts", kValues[1]},         {"payload", kValues[4]}, {"data", kValues[4]}};
  std::erase_if(members, [&random](const auto&) { return random.OneIn(6); });
  for (std::size_t i = random.Below(8); i > 0; --i) {
    members.emplace_back(random.Pick(kKeys), random.Pick(kValues));
  }
  random.Shuffle(members);
  std::string body = "{";
  for (const auto& [key, value] : members) {
    StrAppend(&body, body.size() > 1 ? "," : "", "\"", key,
              "\":", random.OneIn(10) ? WriteJsonTree(random, testing::RandomJson(random)) : value);
  }
  return body + "}";
}

TEST_CASE("whatever comes is an error or a sound event, the same one each time") {
  int read = 0;
  for (std::uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed);
    const std::string body = RandomBody(random);
    const std::string id = random.Id().ToString();
    const Message message{.body = body,
                          .content_type = "application/json",
                          .message_id = random.OneIn(2) ? std::string_view(id) : "",
                          .received_at = absl::FromUnixNanos(1769508000'123456789)};
    CAPTURE(seed, body);
    const auto envelope = ReadMessage(message);
    if (!envelope.ok()) {
      REQUIRE(envelope.status().code() == absl::StatusCode::kInvalidArgument);
      continue;
    }
    ++read;
    RequireSound(*envelope);
    const auto redelivered = ReadMessage(message);
    REQUIRE(redelivered.ok());
    RequireSame(*redelivered, *envelope);

    const std::string canonical = event::WriteJson(*envelope);
    CAPTURE(canonical);
    Envelope again = Read(canonical, "");
    again.time_given = envelope->time_given;
    REQUIRE(again.id == envelope->id);
    REQUIRE(again.parents == envelope->parents);
    REQUIRE(ContentDigest(again) == ContentDigest(*envelope));

    event::v1::EventEnvelope proto;
    ToProto(*envelope, proto);
    Envelope from_proto = Read(proto.SerializeAsString(), "application/protobuf");
    from_proto.time_given = envelope->time_given;
    REQUIRE(ContentDigest(from_proto) == ContentDigest(*envelope));
  }
  CHECK(read > 4000);
}

TEST_CASE("damaged protobuf is an error or a sound event") {
  const google::protobuf::LogSilencer silencer;
  int read = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    event::v1::EventEnvelope proto;
    ToProto(RandomEnvelope(random), proto);
    std::string body = proto.SerializeAsString();
    for (std::size_t i = 1 + random.Below(3); i > 0; --i) {
      body[random.Below(body.size())] = static_cast<char>(random.Bits());
    }
    const auto envelope = ReadMessage({.body = body, .content_type = "application/protobuf"});
    CAPTURE(seed);
    if (!envelope.ok()) continue;
    ++read;
    RequireSound(*envelope);
  }
  CHECK(read > 100);
}

}  // namespace
}  // namespace god33::wire
