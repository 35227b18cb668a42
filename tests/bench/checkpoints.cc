#include "tests/bench/checkpoints.h"

#include "absl/strings/str_format.h"
#include "base/strings.h"
#include "base/timestamp.h"

namespace god33::bench {
namespace {

constexpr std::size_t kSessions = 100;
constexpr std::size_t kEventsOfSession = 100;
constexpr std::int64_t kFirstMillis = 1'767'225'600'000;  // 2026-01-01T00:00:00Z

}  // namespace

Checkpoints::Checkpoints(std::uint64_t seed) : random_(seed), sessions_(kSessions) {
  for (Session& session : sessions_) Begin(session);
}

std::string Checkpoints::NewId() {
  Uuid id = random_.Id();
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id.ToString();
}

void Checkpoints::Begin(Session& session) {
  session = {.id = NewId(), .workflow = NewId(), .last = "", .number = begun_++};
}

Checkpoint Checkpoints::Next() {
  Session& session = sessions_[count_ % kSessions];
  if (session.events == kEventsOfSession) Begin(session);
  ++session.events;
  std::string id = NewId();
  const std::string cause = session.last.empty() ? "" : StrCat("\"", session.last, "\"");
  const absl::Time time = absl::FromUnixMillis(kFirstMillis + static_cast<std::int64_t>(count_));
  std::string body = absl::StrFormat(
      R"({"event_id":"%s","event_type":"%s","timestamp":"%s","version":"1.0.0",)"
      R"("source":{"host":"bench","type":"agent","app":"letta","meta":null},"correlation_ids":[%s],)"
      R"("agent_context":{"type":"letta-python-dev","name":"Python Dev","instance_id":"letta-python-dev-%d"},)"
      R"("payload":{"workflow_id":"%s","session_id":"%s","checkpoint_id":"letta-checkpoint-%d",)"
      R"("agent_instance_id":"letta-python-dev-%d","checkpoint_type":"progress",)"
      R"("summary":"Completed auth module implementation","context_snapshot":{)"
      R"("files_modified":["src/auth/module.py","tests/test_auth.py"],"current_focus":"Writing unit tests",)"
      R"("next_steps":"Integration tests"},"metrics":{"tokens_used":45000,"duration_seconds":1200}}})",
      id, kType, FormatTimestamp(time), cause, session.number, session.workflow, session.id, count_,
      session.number);
  session.last = id;
  ++count_;
  return {.id = std::move(id), .body = std::move(body)};
}

}  // namespace god33::bench
