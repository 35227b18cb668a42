#include "wire/read.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "event/digest.h"
#include "event/write.h"
#include "god33/event/v1/envelope.pb.h"
#include "unit/printers.h"

namespace god33::wire {
namespace {

using event::AgentContext;
using event::CodeState;
using event::Envelope;
using event::Source;
using Ids = std::vector<Uuid>;

constexpr std::int64_t kTen = 1769508000'000'000;  // 2026-01-27T10:00:00Z in microseconds
constexpr char kMessageId[] = "99999999-9999-4999-8999-999999999999";

Uuid Id(std::string_view text) {
  const auto id = Uuid::Parse(text);
  REQUIRE(id);
  return *id;
}

Message Json(std::string_view body) {
  return {.body = body,
          .content_type = "application/json",
          .received_at = absl::FromUnixMicros(kTen) + absl::Hours(1)};
}

Envelope Read(const Message& message) {
  const auto envelope = ReadMessage(message);
  INFO(envelope.status());
  REQUIRE(envelope.ok());
  return *envelope;
}

Envelope Read(std::string_view body) {
  return Read(Json(body));
}

// "reason field" of the error.
std::string FaultOf(const Message& message) {
  const absl::Status status = ReadMessage(message).status();
  if (status.ok()) return "none";
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  return ReasonOf(status) + " " + FieldOf(status);
}

std::string FaultOf(std::string_view body) {
  return FaultOf(Json(body));
}

// ---- canonical ----------------------------------------------------------------------------------

constexpr char kCanonical[] = R"json({"event_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff",
 "event_type":"fireflies.transcript.ready","timestamp":"2026-01-27T10:00:00.123456Z","version":"1.0.0",
 "source":{"host":"h","type":"manual","app":"bloodbank-cli","meta":null},
 "correlation_ids":["11111111-1111-4111-8111-111111111111","22222222-2222-4222-8222-222222222222"],
 "agent_context":null,"payload":{"b":1e5,"a":[ "\u0000", 123456789012345678901234567890 ],"b":null}})json";

TEST_CASE("the canonical envelope is read field by field") {
  const Envelope envelope = Read(kCanonical);
  CHECK(envelope.id == Id("6f9619ff-8b86-4011-b42d-00c04fc964ff"));
  CHECK(envelope.type == "fireflies.transcript.ready");
  CHECK(envelope.time == absl::FromUnixMicros(kTen + 123456));
  CHECK(envelope.time_given);
  CHECK(envelope.version == "1.0.0");
  CHECK(envelope.source == Source{.host = "h", .type = "manual", .app = "bloodbank-cli"});
  CHECK(envelope.parents == Ids{Id("11111111-1111-4111-8111-111111111111"),
                                Id("22222222-2222-4222-8222-222222222222")});
  CHECK_FALSE(envelope.agent_context);
  CHECK(envelope.payload ==
        R"({"b":1e5,"a":[ "\u0000", 123456789012345678901234567890 ],"b":null})");
}

TEST_CASE("the agent context of a canonical envelope is read") {
  const Envelope envelope = Read(R"({"event_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff",
      "event_type":"agent.letta.checkpoint.saved","timestamp":"2026-01-27T10:00:00Z","version":"1.0.0",
      "source":{"host":"h","type":"agent","app":"a","meta":{"k":1}},"correlation_ids":[],
      "agent_context":{"type":"letta","name":null,"system_prompt":null,"instance_id":"i-1",
        "mcp_servers":["m"],"file_references":[],"url_references":[],
        "code_state":{"repo_url":"r","branch":"main","working_diff":null,"branch_diff":null,
          "last_commit_hash":"abc"},
        "checkpoint_id":"c-1","meta":{"k":null}},"payload":{}})");
  CHECK(envelope.agent_context ==
        AgentContext{
            .type = "letta",
            .instance_id = "i-1",
            .mcp_servers = {"m"},
            .code_state = CodeState{.repo_url = "r", .branch = "main", .last_commit_hash = "abc"},
            .checkpoint_id = "c-1",
            .meta = R"({"k":null})"});
  CHECK(envelope.source.meta == R"({"k":1})");
}

// A canonical envelope with one member replaced or added.
std::string With(const std::string& key, const std::string& value) {
  const std::vector<std::pair<std::string, std::string>> members = {
      {"event_id", R"("6f9619ff-8b86-4011-b42d-00c04fc964ff")"},
      {"event_type", R"("a.b")"},
      {"timestamp", R"("2026-01-27T10:00:00Z")"},
      {"version", R"("1.0.0")"},
      {"source", R"({"host":"h","type":"manual","app":"cli","meta":null})"},
      {"correlation_ids", "[]"},
      {"agent_context", "null"},
      {"payload", "{}"}};
  std::string text = "{";
  bool found = false;
  for (const auto& [name, json] : members) {
    if (text.size() > 1) text += ",";
    text += "\"" + name + "\":" + (name == key ? value : json);
    found = found || name == key;
  }
  if (!found) text += ",\"" + key + "\":" + value;
  return text + "}";
}

TEST_CASE("timestamps come with Z and with an offset, with 0 to 6 fraction digits") {
  const auto micros = [](const std::string& text) {
    return absl::ToUnixMicros(Read(With("timestamp", "\"" + text + "\"")).time);
  };
  CHECK(micros("2026-01-27T10:00:00Z") == kTen);
  CHECK(micros("2026-01-27T10:00:00+00:00") == kTen);
  CHECK(micros("2026-01-27T11:00:00.5+01:00") == kTen + 500000);
  CHECK(micros("2026-01-27T10:00:00.123Z") == kTen + 123000);
  CHECK(micros("2026-01-27T10:00:00.123456+00:00") == kTen + 123456);
  CHECK(micros("2026-01-27T10:00:00.123456789Z") == kTen + 123456);
}

TEST_CASE("an event is its type whatever the routing key of its message was") {
  CHECK(Read(With("event_type", R"("command.ack")")).type == "command.ack");
}

TEST_CASE("what the store added to an event that it gave out is not the producer's") {
  const Envelope published = Read(kCanonical);
  std::string given_out = event::WriteJson(published);
  given_out.pop_back();
  given_out += R"(,"position":7,"recorded_at":"2026-01-27T10:00:01Z","payload_errors":[]})";
  CHECK(event::ContentDigest(Read(given_out)) == event::ContentDigest(published));
}

TEST_CASE("a field of the producer's own that is called like one of the store's is kept") {
  const Envelope envelope =
      Read(R"({"event_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","event_type":"a.b",)"
           R"("timestamp":"2026-01-27T10:00:00Z","position":7,"payload":{}})");
  CHECK(envelope.source.meta == R"({"position":7})");
}

TEST_CASE("fields that the envelope does not know are kept in source.meta") {
  CHECK(Read(With("trace", R"({"id":[1]})")).source.meta == R"({"trace":{"id":[1]}})");
  CHECK(Read(With("trace", "null")).source.meta.empty());
  CHECK(Read(R"({"event_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","event_type":"a.b",
                 "timestamp":"2026-01-27T10:00:00Z","payload":{},"x":1,
                 "source":{"host":"h","type":"hook","meta":{"x":0},"y":2}})")
            .source.meta == R"({"x":0,"y":2,"x_":1})");
}

TEST_CASE("what is no agent context is kept in source.meta") {
  const Envelope envelope = Read(With("agent_context", R"("helper")"));
  CHECK_FALSE(envelope.agent_context);
  CHECK(envelope.source.meta == R"({"agent_context":"helper"})");
}

TEST_CASE("an empty agent context is none") {
  CHECK_FALSE(Read(With("agent_context", "{}")).agent_context);
  CHECK_FALSE(Read(With("agent_context", R"({"type":null,"mcp_servers":[]})")).agent_context);
}

TEST_CASE("parents are distinct, and the event itself is none of them") {
  CHECK(Read(With("correlation_ids", R"(["11111111-1111-4111-8111-111111111111",null,"",
      "6F9619FF-8B86-4011-B42D-00C04FC964FF","11111111111141118111111111111111",
      "22222222-2222-4222-8222-222222222222"])"))
            .parents == Ids{Id("11111111-1111-4111-8111-111111111111"),
                            Id("22222222-2222-4222-8222-222222222222")});
  CHECK(Read(With("correlation_ids", "null")).parents.empty());
  CHECK(Read(With("correlation_ids", R"("11111111-1111-4111-8111-111111111111")")).parents.size() ==
        1);
}

TEST_CASE("a parent that is no UUID is named by its source, and kept as it was") {
  const Envelope envelope = Read(With("correlation_ids", R"(["msg-16","msg-16",17])"));
  CHECK(envelope.parents == Ids{Id("8d4d8f12-94a8-5e37-aa64-a69e785b8192"),
                                Id("f9ad3f28-e280-578f-96f8-509e6bfb877c")});
  CHECK(envelope.source.meta == R"({"original_correlation_ids":["msg-16","msg-16","17"]})");
}

TEST_CASE("a version may be a number or be missing") {
  CHECK(Read(With("version", "2")).version == "2");
  CHECK(Read(With("version", "1.10")).version == "1.10");
  CHECK(Read(With("version", "null")).version == "1.0.0");
}

TEST_CASE("an empty version is the first one, as on gRPC") {
  CHECK(Read(With("version", R"("")")).version == "1.0.0");
}

TEST_CASE("of duplicate fields the last counts") {
  CHECK(Read(R"({"event_type":"first","event_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff",
                 "timestamp":"2026-01-27T10:00:00Z","payload":{"a":1},"payload":{},
                 "event_type":"last"})")
            .type == "last");
}

TEST_CASE("invalid envelopes are told by the field at fault") {
  CHECK(FaultOf(With("event_id", R"("not-a-uuid")")) == "invalid_envelope event_id");
  CHECK(FaultOf(With("event_id", R"("")")) == "invalid_envelope event_id");
  CHECK(FaultOf(With("event_id", "7")) == "invalid_envelope event_id");
  CHECK(FaultOf(With("event_id", "{}")) == "invalid_envelope event_id");
  CHECK(FaultOf(With("event_type", "null")) == "invalid_envelope event_type");
  CHECK(FaultOf(With("event_type", R"("")")) == "invalid_envelope event_type");
  CHECK(FaultOf(With("event_type", R"("a..b")")) == "invalid_envelope event_type");
  CHECK(FaultOf(With("event_type", R"(["a"])")) == "invalid_envelope event_type");
  CHECK(FaultOf(With("timestamp", "null")) == "invalid_envelope timestamp");
  CHECK(FaultOf(With("timestamp", R"("yesterday")")) == "invalid_envelope timestamp");
  CHECK(FaultOf(With("timestamp", "1769508000")) == "invalid_envelope timestamp");
  CHECK(FaultOf(With("timestamp", R"("2026-02-30T10:00:00Z")")) == "invalid_envelope timestamp");
  CHECK(FaultOf(With("version", R"("123456789012345678901")")) == "invalid_envelope version");
  CHECK(FaultOf(With("version", "{}")) == "invalid_envelope version");
  CHECK(FaultOf(With("version", R"("\u0000")")) == "invalid_envelope version");
  CHECK(FaultOf(With("payload", "null")) == "invalid_envelope payload");
  CHECK(FaultOf(With("payload", "[]")) == "invalid_envelope payload");
  CHECK(FaultOf(With("payload", R"("{}")")) == "invalid_envelope payload");
  CHECK(FaultOf("{}").starts_with("invalid_envelope "));
}

TEST_CASE("an event has at most 1,000 parents") {
  std::string list;
  for (int i = 0; i < 1000; ++i) list += "\"p" + std::to_string(i) + "\",";
  CHECK(Read(With("correlation_ids", "[" + list + "null]")).parents.size() == 1000);
  CHECK(FaultOf(With("correlation_ids", "[" + list + "\"one more\"]")) ==
        "invalid_envelope correlation_ids");
}

TEST_CASE("what is no JSON object is unreadable") {
  for (const char* body : {"", " ", "null", "[]", "\"text\"", "7", "{", "{}}", "{\"a\":}", "\xFF",
                           "{\"a\":\"\xC3\"}", "event_id=1", "<event/>"}) {
    CAPTURE(body);
    CHECK(FaultOf(body) == "unreadable ");
  }
}

TEST_CASE("an error quotes what came in valid UTF-8 and in part") {
  std::string id(79, 'x');
  for (int i = 0; i < 1000; ++i) id += "\xC3\xA9";
  const std::string message(
      MessageOf(ReadMessage(Json(With("event_id", "\"" + id + "\""))).status()));
  CHECK(message.size() < 200);
  CHECK(message.find("\xEF\xBF\xBD") == std::string::npos);
}

// ---- relatives ----------------------------------------------------------------------------------

TEST_CASE("the command adapter's single parents and producer are read") {
  const Envelope envelope = Read(R"json({"event_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff",
      "event_type":"command.ack","timestamp":"2026-01-27T10:00:00+00:00","version":"1.0.0",
      "producer":"command-adapter","source":{"host":"h","type":"service","app":"adapter"},
      "correlation_id":"11111111-1111-4111-8111-111111111111",
      "causation_id":"22222222-2222-4222-8222-222222222222",
      "payload":{"agent":"tonny","action":"status"}})json");
  CHECK(envelope.type == "command.ack");
  CHECK(envelope.parents == Ids{Id("11111111-1111-4111-8111-111111111111"),
                                Id("22222222-2222-4222-8222-222222222222")});
  CHECK(envelope.source == Source{.host = "h",
                                  .type = "service",
                                  .app = "adapter",
                                  .meta = R"({"producer":"command-adapter"})"});
}

TEST_CASE("the command adapter's event may have one parent under both names") {
  CHECK(Read(R"json({"event_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","event_type":"command.ack",
      "timestamp":"2026-01-27T10:00:00Z","producer":"p",
      "correlation_id":"11111111-1111-4111-8111-111111111111",
      "causation_id":"11111111-1111-4111-8111-111111111111","payload":{}})json")
            .parents == Ids{Id("11111111-1111-4111-8111-111111111111")});
}

TEST_CASE("the hook bridge's parents under both names are read, and its trigger is kept") {
  const Envelope envelope = Read(R"json({"event_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff",
      "event_type":"agent.tool.invoked","timestamp":"2026-01-27T10:00:00.5Z","version":"1.0.0",
      "source":{"host":"h","type":"hook","app":"editor","trigger_type":"hook","meta":null},
      "correlation_id":"11111111-1111-4111-8111-111111111111",
      "correlation_ids":["22222222-2222-4222-8222-222222222222",
                         "11111111-1111-4111-8111-111111111111"],
      "agent_context":{"type":"editor"},"payload":{"tool_name":"Bash"}})json");
  CHECK(envelope.parents == Ids{Id("22222222-2222-4222-8222-222222222222"),
                                Id("11111111-1111-4111-8111-111111111111")});
  CHECK(envelope.source ==
        Source{.host = "h", .type = "hook", .app = "editor", .meta = R"({"trigger_type":"hook"})"});
}

constexpr char kZellij[] =
    R"json({"event_type":"zellij.pane.created","timestamp":"2026-01-27T10:00:00Z",
 "payload":{"pane_id":3},
 "metadata":{"source":"zellij-driver","version":"0.3.1","correlation_id":"11111111-1111-4111-8111-111111111111","session":"main"}})json";

TEST_CASE("zellij-driver's metadata becomes source, parent and source.meta") {
  const Envelope envelope = Read(kZellij);
  CHECK(envelope.type == "zellij.pane.created");
  CHECK(envelope.time == absl::FromUnixMicros(kTen));
  CHECK(envelope.version == "1.0.0");
  CHECK(envelope.source == Source{.host = "unknown",
                                  .type = "manual",
                                  .app = "zellij-driver",
                                  .meta = R"({"version":"0.3.1","session":"main"})"});
  CHECK(envelope.parents == Ids{Id("11111111-1111-4111-8111-111111111111")});
  CHECK(envelope.payload == R"({"pane_id":3})");
}

TEST_CASE("zellij-driver's parent may be an id of its own") {
  const Envelope envelope = Read(R"json({"event_type":"zellij.tab.closed",
      "timestamp":"2026-01-27T10:00:00Z","payload":{},
      "metadata":{"source":"zellij-driver","correlation_id":"tab-3"}})json");
  CHECK(envelope.parents == Ids{Id("b8e545d4-a17c-5e48-84c6-300253afee31")});
  CHECK(envelope.source.meta == R"({"original_correlation_ids":["tab-3"]})");
}

TEST_CASE("an event is not its own parent, wherever its parent is named") {
  Message message = Json(kZellij);
  message.message_id = "11111111-1111-4111-8111-111111111111";
  const Envelope envelope = Read(message);
  CHECK(envelope.id == Id("11111111-1111-4111-8111-111111111111"));
  CHECK(envelope.parents.empty());
}

TEST_CASE("without an id an event has its message's") {
  Message message = Json(kZellij);
  message.message_id = kMessageId;
  CHECK(Read(message).id == Id(kMessageId));
}

TEST_CASE("without any id an event's is made of its type and its body") {
  CHECK(Read(kZellij).id == Id("b1b38a11-8a65-5d0d-9f3d-7971498da69e"));
  Message message = Json(kZellij);
  message.message_id = "17";  // not a UUID
  CHECK(Read(message).id == Id("b1b38a11-8a65-5d0d-9f3d-7971498da69e"));
}

constexpr char kHookd[] =
    R"json({"event_type":"agent.tool.completed","hook_type":"PostToolUse","tool_name":"Edit",
 "agent_id":"agent-1","repo":{"name":"33god","branch":"main"},"file_path":"src/a.py","file_ext":".py",
 "lines_changed":12,"raw_payload":{"n":1.50},"timestamp":"2026-01-27T10:00:00.25Z","source_pid":4711,
 "correlation_id":"11111111-1111-4111-8111-111111111111"})json";

TEST_CASE("hookd's flat fields become the payload") {
  const Envelope envelope = Read(kHookd);
  CHECK(envelope.type == "agent.tool.completed");
  CHECK(envelope.time == absl::FromUnixMicros(kTen + 250000));
  CHECK(envelope.source == Source{.host = "unknown", .type = "hook", .app = "hookd"});
  CHECK(envelope.parents == Ids{Id("11111111-1111-4111-8111-111111111111")});
  CHECK(envelope.payload ==
        R"({"hook_type":"PostToolUse","tool_name":"Edit","agent_id":"agent-1",)"
        R"("repo":{"name":"33god","branch":"main"},"file_path":"src/a.py","file_ext":".py",)"
        R"("lines_changed":12,"raw_payload":{"n":1.50},"source_pid":4711})");
  CHECK(envelope.id == Id("c1ed4a73-2375-5948-90de-6100f48fda8b"));
}

TEST_CASE("hookd's payload keeps nulls, duplicates and escapes: it comes back as it was") {
  CHECK(Read(R"json({"hook_type":"Stop","event_type":"agent.session.ended","file_path":null,
                     "timestamp":"2026-01-27T10:00:00Z","a":1,"a":2,"\ud800":3,"\udc00":4,
                     "correlation_id":null})json")
            .payload ==
        R"({"hook_type":"Stop","file_path":null,"a":1,"a":2,"\ud800":3,"\udc00":4})");
}

TEST_CASE("hookd's parent may be an id of its own") {
  const Envelope envelope = Read(R"json({"hook_type":"Stop","event_type":"agent.session.ended",
      "timestamp":"2026-01-27T10:00:00Z","correlation_id":"session-9"})json");
  CHECK(envelope.parents == Ids{Id("8e4726ce-84e3-595d-a8e3-41801ea150af")});
  CHECK(envelope.source.meta == R"({"original_correlation_ids":["session-9"]})");
  CHECK(envelope.payload == R"({"hook_type":"Stop"})");
}

TEST_CASE("a hook type beside a payload is an ordinary field") {
  const Envelope envelope = Read(R"json({"event_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff",
      "event_type":"a.b","timestamp":"2026-01-27T10:00:00Z","hook_type":"Stop","payload":{"a":1}})json");
  CHECK(envelope.payload == R"({"a":1})");
  CHECK(envelope.source.meta == R"({"hook_type":"Stop"})");
}

TEST_CASE("invalid hookd events are told by the field at fault") {
  CHECK(FaultOf(R"({"hook_type":"Stop","event_type":"a.b"})") == "invalid_envelope timestamp");
  CHECK(FaultOf(R"({"hook_type":"Stop","timestamp":"2026-01-27T10:00:00Z"})") ==
        "invalid_envelope event_type");
}

TEST_CASE("tonny's source is a text, and target and session are kept") {
  const Envelope envelope = Read(R"json({"event_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff",
      "event_type":"agent.message.sent","timestamp":"2026-01-27T10:00:00Z","version":"1.0.0",
      "source":"tonny/den","target":"helper","session_id":"s-1","payload":{"text":"hi"}})json");
  CHECK(envelope.id == Id("6f9619ff-8b86-4011-b42d-00c04fc964ff"));
  CHECK(envelope.source == Source{.host = "den",
                                  .type = "manual",
                                  .app = "tonny",
                                  .meta = R"({"target":"helper","session_id":"s-1"})"});
}

TEST_CASE("an id that is no UUID becomes one in its source's space, and is kept") {
  const Envelope envelope = Read(R"json({"event_id":"msg-17","event_type":"agent.message.sent",
      "timestamp":"2026-01-27T10:00:00Z","source":"tonny","correlation_id":"msg-16","payload":{}})json");
  CHECK(envelope.id == Id("72d4e254-a587-5c56-ab48-0e1110bbcdbc"));
  CHECK(envelope.parents == Ids{Id("ef8a3342-61b2-5642-ae86-2d842d35d308")});
  CHECK(envelope.source.meta ==
        R"({"original_id":"msg-17","original_correlation_ids":["msg-16"]})");
}

TEST_CASE("an id of another kind is kept as it was") {
  const Envelope envelope = Read(R"json({"event_id":17,"event_type":"a.b",
      "timestamp":"2026-01-27T10:00:00Z","source":"tonny","payload":{}})json");
  CHECK(envelope.id == Id("1a61fad5-01be-5182-ad47-d9bc173b5148"));
  CHECK(envelope.source.meta == R"({"original_id":17})");
}

TEST_CASE("an empty id is none: two events must not share the id that it would become") {
  const auto body = [](const std::string& payload) {
    return R"({"event_id":"","event_type":"a.b","timestamp":"2026-01-27T10:00:00Z","source":"tonny",)"
           R"("payload":)" +
           payload + "}";
  };
  CHECK(Read(body("{}")).id != Read(body(R"({"a":1})")).id);
  const std::string one = body("{}");
  Message message = Json(one);
  message.message_id = kMessageId;
  CHECK(Read(message).id == Id(kMessageId));
}

TEST_CASE("a child is linked to the parent of its own source by the parent's own id") {
  const Envelope parent = Read(R"json({"id":"abc","ts":"2026-01-27T10:00:00Z","event_type":"a.b",
      "source":"tonny","data":{}})json");
  const Envelope child = Read(R"json({"id":"def","ts":"2026-01-27T10:00:01Z","event_type":"a.c",
      "source":"tonny","correlation_id":"abc","data":{}})json");
  CHECK(child.parents == Ids{parent.id});
}

// ---- legacy v1 ----------------------------------------------------------------------------------

TEST_CASE("legacy events are read") {
  const Envelope envelope = Read(R"json({"id":"11111111-1111-4111-8111-111111111111",
      "ts":"2026-01-27T10:00:00.001Z","event_type":"session.thread.message","source":"whisper/den",
      "data":{"text":"hi","n":1.0},"target":"helper",
      "correlation_id":"22222222-2222-4222-8222-222222222222","session_id":"s-1"})json");
  CHECK(envelope.id == Id("11111111-1111-4111-8111-111111111111"));
  CHECK(envelope.type == "session.thread.message");
  CHECK(envelope.time == absl::FromUnixMicros(kTen + 1000));
  CHECK(envelope.source == Source{.host = "den",
                                  .type = "manual",
                                  .app = "whisper",
                                  .meta = R"({"target":"helper","session_id":"s-1"})"});
  CHECK(envelope.parents == Ids{Id("22222222-2222-4222-8222-222222222222")});
  CHECK(envelope.payload == R"({"text":"hi","n":1.0})");
}

TEST_CASE("a legacy event may have no data") {
  CHECK(Read(R"({"id":"x","ts":"2026-01-27T10:00:00Z","event_type":"a.b","source":"s"})").payload ==
        "{}");
  CHECK(
      Read(R"({"id":"x","ts":"2026-01-27T10:00:00Z","event_type":"a.b","source":"s","data":null})")
          .payload == "{}");
}

TEST_CASE("legacy times are also seconds or milliseconds since 1970") {
  const auto micros = [](const std::string& ts) {
    return absl::ToUnixMicros(
        Read(R"({"id":"x","event_type":"a.b","source":"s","ts":)" + ts + "}").time);
  };
  CHECK(micros("1769508000") == kTen);
  CHECK(micros("1769508000.5") == kTen + 500000);
  CHECK(micros("1769508000.123456") == kTen + 123456);
  CHECK(micros("1.769508e9") == kTen);
  CHECK(micros("1769508000123") == kTen + 123000);
  CHECK(micros("0") == 0);
  for (int i = 0; i < 2000; ++i) {
    const std::string digits = std::to_string(1000000 + i * 499).substr(1);
    CAPTURE(digits);
    // Early 2005 and 2040: seconds for which a double's rounding shows.
    REQUIRE(micros("1110000000." + digits) == 1110000000'000000 + i * 499);
    REQUIRE(micros("2210000000." + digits) == 2210000000'000000 + i * 499);
  }
}

TEST_CASE("legacy times beyond the calendar are invalid") {
  for (const char* ts : {"-1", "1e400", "-1e400", "1e18", "99999999999999999999", "true", "[]",
                         R"("1769508000")", "null"}) {
    CAPTURE(ts);
    CHECK(FaultOf(R"({"id":"x","event_type":"a.b","source":"s","data":{},"ts":)" + std::string(ts) +
                  "}") == "invalid_envelope ts");
  }
}

TEST_CASE("a legacy event's data must be an object") {
  CHECK(FaultOf(R"({"id":"x","ts":1769508000,"event_type":"a.b","source":"s","data":[1]})") ==
        "invalid_envelope data");
}

// ---- CloudEvents --------------------------------------------------------------------------------

TEST_CASE("CloudEvents are read") {
  const Envelope envelope = Read(R"json({"specversion":"1.0","id":"A234-1234-1234",
      "source":"https://github.com/33god/bloodbank","type":"github.pr.created",
      "time":"2026-01-27T10:00:00.123Z","datacontenttype":"application/json","subject":"pr/7",
      "correlationid":"11111111-1111-4111-8111-111111111111","causationid":"A234-1234-1233",
      "data":{"number":7}})json");
  CHECK(envelope.id == Id("e5f33b5d-3f36-593e-8cb7-e2490b54dc0a"));
  CHECK(envelope.type == "github.pr.created");
  CHECK(envelope.time == absl::FromUnixMicros(kTen + 123000));
  CHECK(envelope.parents == Ids{Id("11111111-1111-4111-8111-111111111111"),
                                Id("2627aa14-c319-5a50-9877-56ac67f297cd")});
  CHECK(
      envelope.source ==
      Source{.host = "unknown",
             .type = "service",
             .app = "https://github.com/33god/bloodbank",
             .meta =
                 R"({"original_id":"A234-1234-1234","original_correlation_ids":["A234-1234-1233"],)"
                 R"("datacontenttype":"application/json","subject":"pr/7"})"});
  CHECK(envelope.payload == R"({"number":7})");
}

TEST_CASE("a CloudEvent's UUID is its id") {
  CHECK(Read(R"({"specversion":"1.0","id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","source":"s",
                 "type":"a.b","time":"2026-01-27T10:00:00Z"})")
            .id == Id("6f9619ff-8b86-4011-b42d-00c04fc964ff"));
}

constexpr char kNoTime[] = R"json({"specversion":"1.0","id":"1","source":"s","type":"a.b"})json";

TEST_CASE("a CloudEvent without a time has its message's") {
  Message message = Json(kNoTime);
  message.timestamp = absl::FromUnixMicros(kTen);
  const Envelope envelope = Read(message);
  CHECK(envelope.time == absl::FromUnixMicros(kTen));
  CHECK(envelope.time_given);
}

TEST_CASE("a CloudEvent without any time has that of its receipt, which is no content") {
  Message message = Json(kNoTime);
  message.received_at = absl::FromUnixMicros(kTen) + absl::Nanoseconds(1'700);
  const Envelope first = Read(message);
  CHECK(first.time == absl::FromUnixMicros(kTen + 1));
  CHECK_FALSE(first.time_given);
  message.received_at += absl::Hours(1);
  const Envelope second = Read(message);
  CHECK(second.time != first.time);
  CHECK(event::ContentDigest(second) == event::ContentDigest(first));
}

TEST_CASE("a message's time beyond the calendar is invalid") {
  Message message = Json(kNoTime);
  message.timestamp = absl::FromUnixSeconds(253402300800);
  CHECK(FaultOf(message) == "invalid_envelope timestamp");
  message.timestamp = absl::InfiniteFuture();
  CHECK(FaultOf(message) == "invalid_envelope timestamp");
}

TEST_CASE("invalid CloudEvents are told by the field at fault") {
  CHECK(FaultOf(R"({"specversion":"1.0","id":"1","source":"s","type":"a.b","time":"noon"})") ==
        "invalid_envelope time");
  CHECK(FaultOf(R"({"specversion":"1.0","id":"1","source":"s","type":"a.b","data":"text"})") ==
        "invalid_envelope data");
  CHECK(FaultOf(R"({"specversion":"1.0","id":"1","source":"s","data":{}})") ==
        "invalid_envelope event_type");
}

// ---- protobuf -----------------------------------------------------------------------------------

event::v1::EventEnvelope Proto() {
  event::v1::EventEnvelope proto;
  proto.set_event_id("6f9619ff-8b86-4011-b42d-00c04fc964ff");
  proto.set_event_type("a.b");
  proto.mutable_timestamp()->set_seconds(1769508000);
  proto.mutable_source()->set_host("h");
  proto.mutable_source()->set_type("service");
  proto.mutable_payload()->set_text("{\"a\":1}");
  return proto;
}

TEST_CASE("protobuf is recognised by its content type") {
  const std::string body = Proto().SerializeAsString();
  for (const char* type :
       {"application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf",
        "application/protobuf; version=1", "Application/Protobuf", "application/x-protobuf ;a=b"}) {
    CAPTURE(type);
    Message message = Json(body);
    message.content_type = type;
    const Envelope envelope = Read(message);
    CHECK(envelope.id == Id("6f9619ff-8b86-4011-b42d-00c04fc964ff"));
    CHECK(envelope.payload == "{\"a\":1}");
  }
  for (const char* type : {"", "application/json", "text/plain", "application/protobufs"}) {
    CAPTURE(type);
    Message message = Json(body);
    message.content_type = type;
    CHECK(FaultOf(message) == "unreadable ");
  }
}

TEST_CASE("any content type but protobuf's is JSON") {
  for (const char* type :
       {"", "application/json; charset=utf-8", "text/plain", "application/cloudevents+json"}) {
    Message message = Json(kCanonical);
    message.content_type = type;
    CHECK(Read(message).type == "fireflies.transcript.ready");
  }
}

TEST_CASE("what is no envelope in protobuf is unreadable") {
  Message message = Json("{\"event_id\":1}");
  message.content_type = "application/protobuf";
  CHECK(FaultOf(message) == "unreadable ");
}

TEST_CASE("an invalid envelope in protobuf is told by the field at fault, once") {
  event::v1::EventEnvelope proto = Proto();
  proto.set_event_id("x");
  const std::string body = proto.SerializeAsString();
  Message message = Json(body);
  message.content_type = "application/protobuf";
  CHECK(FaultOf(message) == "invalid_envelope event_id");
  CHECK(MessageOf(ReadMessage(message).status()) == "event_id: expected a UUID, got \"x\"");
  message.body = "";
  CHECK(FaultOf(message) == "invalid_envelope event_id");
}

// ---- depth --------------------------------------------------------------------------------------

std::string Nested(std::size_t levels) {
  std::string text;
  for (std::size_t i = 1; i < levels; ++i) text += "{\"a\":";
  text += "{}";
  text.append(levels - 1, '}');
  return text;
}

TEST_CASE("what was read can be written and read again, however deep it is nested") {
  const std::string deep_meta = R"({"host":"h","type":"t","meta":)" + Nested(1000) + "}";
  const std::string deep_context = R"({"meta":)" + Nested(1000) + "}";
  for (
      const std::string& body :
      {With("payload", Nested(1000)), With("source", deep_meta),
       With("agent_context", deep_context), With("extra", Nested(999)),
       With("source", R"({"extra":)" + Nested(998) + "}"),
       R"({"hook_type":"Stop","event_type":"a.b","timestamp":"2026-01-27T10:00:00Z","raw_payload":)" +
           Nested(999) + "}"}) {
    const Envelope envelope = Read(body);
    const Envelope again = Read(event::WriteJson(envelope));
    CHECK(event::ContentDigest(again) == event::ContentDigest(envelope));
  }
}

TEST_CASE("a part of an envelope that is nested deeper than a thousand levels is refused") {
  CHECK(FaultOf(With("payload", Nested(1001))) == "invalid_envelope payload");
  CHECK(FaultOf(With("source", R"({"host":"h","meta":)" + Nested(1001) + "}")) != "none");
  CHECK(FaultOf(With("agent_context", R"({"meta":)" + Nested(1001) + "}")) != "none");
  CHECK(FaultOf(With("extra", Nested(1000))) != "none");
  CHECK(FaultOf(With("payload", Nested(100000))) == "unreadable ");
}

}  // namespace
}  // namespace god33::wire
