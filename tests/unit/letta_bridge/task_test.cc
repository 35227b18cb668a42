#include "services/letta-bridge/task.h"

#include <catch2/catch.hpp>

#include "json/value.h"
#include "testing/json_tree.h"
#include "unit/letta_bridge/story.h"
#include "unit/printers.h"

namespace god33::letta {
namespace {

using testing::Random;

constexpr std::uint64_t kSession = 500;
constexpr std::uint64_t kNextSession = 501;

std::string InSession(std::uint64_t session, const std::string& more = "") {
  return StrCat(IdMember("session_id", session), more);
}

StoredEvent Accepted(std::uint64_t n) {
  return Event(n, "agent.handoff.accepted",
               InSession(kSession,
                         ",'agent_instance_id':'letta-python-dev-001',"
                         "'letta':{'agent_id':'agent-1','conversation_id':'conv-1'}"),
               {FakeId(1)});
}

StoredEvent CheckpointSaved(std::uint64_t n, int sequence, std::uint64_t session = kSession) {
  return Event(n, "agent.letta.checkpoint.saved",
               InSession(session, StrCat(",'checkpoint_id':'c-", sequence, "','sequence':",
                                         sequence, ",'memory_digest':'d-", sequence,
                                         "','letta':{'conversation_id':'conv-1',"
                                         "'last_message_id':'m-",
                                         sequence, "','message_count':", sequence * 10, "}")));
}

StoredEvent Asked(std::uint64_t n) {
  return Event(n, "agent.feedback.requested", InSession(kSession, ",'question':'Which?'"));
}

StoredEvent Paused(std::uint64_t n, const std::string& reason = "awaiting_feedback") {
  return Event(n, "agent.letta.session.paused",
               InSession(kSession, StrCat(",'reason':'", reason, "'")));
}

StoredEvent Answered(std::uint64_t n, std::uint64_t request, const std::string& members) {
  return Event(n, "agent.feedback.response", members, {FakeId(request)});
}

StoredEvent Resumed(std::uint64_t n) {
  return Event(n, "agent.letta.session.resumed",
               InSession(kSession, ",'letta':{'agent_id':'agent-1','conversation_id':'conv-2'}"));
}

StoredEvent Failed(std::uint64_t n, std::uint64_t session = kSession) {
  return Event(n, "agent.letta.session.failed",
               InSession(session, ",'failure_reason':'connection_lost'"));
}

StoredEvent RecoveryStarted(std::uint64_t n, std::uint64_t session = kSession,
                            std::uint64_t next = kNextSession) {
  return Event(n, "agent.letta.session.recovery.started",
               InSession(session, StrCat(",", IdMember("new_session_id", next))));
}

StoredEvent Restored(std::uint64_t n) {
  return Event(
      n, "agent.letta.context.restored",
      InSession(kNextSession, ",'letta':{'agent_id':'agent-2','conversation_id':'conv-9'}"));
}

StoredEvent GoesOn(std::uint64_t n) {
  return Event(n, "agent.letta.task.resumed", InSession(kNextSession));
}

// Stories that end in each of the states that a task can be in.
std::vector<StoredEvent> Waiting() {
  return {Requested(1)};
}
std::vector<StoredEvent> Active() {
  return {Requested(1), Accepted(2), CheckpointSaved(3, 1)};
}
std::vector<StoredEvent> AwaitingAnswer() {
  return {Requested(1), Accepted(2), CheckpointSaved(3, 1), Asked(4), Paused(5)};
}
std::vector<StoredEvent> Recovering() {
  return {Requested(1), Accepted(2), CheckpointSaved(3, 1), Failed(4), RecoveryStarted(5)};
}
std::vector<StoredEvent> Ended(const std::string& type) {
  std::vector<StoredEvent> events = Active();
  events.push_back(Event(6, type, InSession(kSession, ",'reason':'so it is'")));
  return events;
}

// The state without its version, which counts all events.
std::string Text(Task task) {
  task.version = 0;
  return WriteState(task);
}

TEST_CASE("a request makes a task that waits") {
  const Task task = FoldAll({Requested(1, ",'priority':'urgent','context':{'a':1}")});
  CHECK(task.id == FakeId(1));
  CHECK(task.status == TaskStatus::kWaiting);
  CHECK(task.version == 1);
  CHECK(task.request.workflow_id == FakeId(kWorkflow));
  CHECK(task.request.to_agent == "letta-python-dev");
  CHECK(task.request.description == "Build it");
  CHECK(task.request.context == R"({"a":1})");
  CHECK(task.request.priority == 2);
  CHECK_FALSE(task.session_id);
}

TEST_CASE("of a request that breaks its schema the names are kept, as a column can hold them") {
  const Task task = FoldAll({Event(1, "agent.handoff.requested",
                                   "'workflow_id':'?','from_agent':'bmad\\u0000pm',"
                                   "'to_agent':'letta-python-dev','idempotency_key':'k'")});
  CHECK(task.status == TaskStatus::kWaiting);
  CHECK(task.request.workflow_id == Uuid());
  CHECK(task.request.from_agent == "bmad\xEF\xBF\xBDpm");
  CHECK(task.request.to_agent == "letta-python-dev");
  CHECK(task.request.idempotency_key.empty());
}

TEST_CASE("the acceptance opens a session, and checkpoints say where to go on from") {
  const Task task = FoldAll(Active());
  CHECK(task.status == TaskStatus::kActive);
  CHECK(task.session_id == FakeId(kSession));
  CHECK(task.instance_id == "letta-python-dev-001");
  CHECK(task.agent_id == "agent-1");
  CHECK(task.conversation_id == "conv-1");
  CHECK(task.accepted == FakeId(2));
  CHECK(task.going == FakeId(2));
  REQUIRE(task.checkpoint);
  CHECK(task.checkpoint->id == "c-1");
  CHECK(task.checkpoint->event_id == FakeId(3));
  CHECK(task.checkpoint->sequence == 1);
  CHECK(task.checkpoint->conversation_id == "conv-1");
  CHECK(task.checkpoint->message_id == "m-1");
  CHECK(task.checkpoint->message_count == 10);
  CHECK(task.checkpoint->memory_digest == "d-1");
}

TEST_CASE("a question pauses the task, and its answer is there until the next checkpoint") {
  std::vector<StoredEvent> events = AwaitingAnswer();
  Task task = FoldAll(events);
  CHECK(task.status == TaskStatus::kPaused);
  CHECK(task.reason == "awaiting_feedback");
  REQUIRE(task.question);
  CHECK(task.question->request_id == FakeId(4));
  CHECK_FALSE(task.question->settled_by);

  events.push_back(Answered(6, 4, "'decision':'JWT','rationale':'Better'"));
  task = FoldAll(events);
  CHECK(task.status == TaskStatus::kPaused);
  CHECK(task.question->settled_by == FakeId(6));
  CHECK(task.question->answer == "JWT\nRationale: Better");

  events.push_back(Resumed(7));
  task = FoldAll(events);
  CHECK(task.status == TaskStatus::kActive);
  CHECK(task.reason.empty());
  CHECK_FALSE(task.question);
  CHECK(task.answer == "JWT\nRationale: Better");
  CHECK(task.conversation_id == "conv-2");

  events.push_back(CheckpointSaved(8, 2));
  CHECK(FoldAll(events).answer.empty());
}

TEST_CASE("an answer is found in either vocabulary") {
  CHECK(AnswerIn(Json("{'decision':'a'}")) == "a");
  CHECK(AnswerIn(Json("{'response':'b'}")) == "b");
  CHECK(AnswerIn(Json("{'response':'b','decision':'a'}")) == "a");
  CHECK(AnswerIn(Json("{'rationale':'why'}")) == "Rationale: why");
  CHECK(AnswerIn(Json("{'response':'b','rationale':'why'}")) == "b\nRationale: why");
  CHECK(AnswerIn(Json("{'decision':7}")).empty());
  CHECK(AnswerIn("{}").empty());
}

TEST_CASE("a question is settled by the first event that is about it, however that names it") {
  const std::string named = StrCat(IdMember("request_id", 4), ",'decision':'taken'");
  const auto settled = [](StoredEvent event) {
    std::vector<StoredEvent> events = AwaitingAnswer();
    events.push_back(std::move(event));
    events.push_back(Answered(9, 4, "'decision':'too late'"));
    return FoldAll(events);
  };
  for (const char* type : {"agent.feedback.response", "agent.feedback.timed_out"}) {
    CAPTURE(type);
    CHECK(settled(Event(6, type, named)).question->answer == "taken");
    CHECK(settled(Event(6, type, "'decision':'taken'", {FakeId(77), FakeId(4)}))
              .question->settled_by == FakeId(6));
  }
  const Task withdrawn = settled(Event(6, "agent.feedback.withdrawn", named));
  CHECK(withdrawn.question->settled_by == FakeId(6));
  CHECK(withdrawn.question->answer.empty());

  const Task foreign = settled(
      Event(6, "agent.feedback.response", StrCat(IdMember("request_id", 5), ",'decision':'no'")));
  CHECK(foreign.question->answer == "too late");
}

TEST_CASE("a failed session is followed by another one, from the last checkpoint") {
  std::vector<StoredEvent> events = Active();
  events.push_back(Failed(4));
  Task task = FoldAll(events);
  CHECK(task.status == TaskStatus::kRecovering);
  CHECK(task.reason == "connection_lost");
  CHECK(task.failed == FakeId(4));
  CHECK(task.session_id == FakeId(kSession));

  events.push_back(RecoveryStarted(5));
  task = FoldAll(events);
  CHECK(task.status == TaskStatus::kRecovering);
  CHECK(task.session_id == FakeId(kNextSession));
  CHECK(task.recovery_started == FakeId(5));
  CHECK(task.recovered_from->id == "c-1");
  CHECK(task.recoveries == 1);

  events.push_back(Restored(6));
  events.push_back(GoesOn(7));
  task = FoldAll(events);
  CHECK(task.status == TaskStatus::kActive);
  CHECK(task.reason.empty());
  CHECK(task.agent_id == "agent-2");
  CHECK(task.conversation_id == "conv-9");
  CHECK(task.context_restored == FakeId(6));
  CHECK(task.going == FakeId(7));
  CHECK(task.accepted == FakeId(2));
  CHECK(task.recoveries == 1);

  events.push_back(CheckpointSaved(8, 2, kNextSession));
  CHECK(FoldAll(events).recoveries == 0);
}

TEST_CASE("recoveries without a checkpoint between them are counted") {
  std::vector<StoredEvent> events = Recovering();
  events.push_back(Failed(6, kNextSession));
  events.push_back(RecoveryStarted(7, kNextSession, 502));
  const Task task = FoldAll(events);
  CHECK(task.recoveries == 2);
  CHECK(task.session_id == FakeId(502));
}

TEST_CASE("a task ends once, and then nothing happens any more") {
  for (const auto& [type, status] :
       {std::pair("agent.letta.task.completed", TaskStatus::kCompleted),
        std::pair("agent.letta.task.blocked", TaskStatus::kBlocked),
        std::pair("agent.letta.task.cancelled", TaskStatus::kCancelled)}) {
    CAPTURE(type);
    std::vector<StoredEvent> events = Ended(type);
    const Task ended = FoldAll(events);
    CHECK(ended.status == status);
    CHECK(IsOver(ended.status));
    for (const StoredEvent& late :
         {CheckpointSaved(10, 2), Asked(10), Paused(10), Resumed(10), Failed(10),
          RecoveryStarted(10), Event(10, "agent.letta.task.cancelled"),
          Event(10, "agent.handoff.rejected", "'reason':'x'"),
          Event(10, "agent.letta.task.completed", InSession(kSession)),
          Event(10, "agent.letta.task.blocked", InSession(kSession)), Accepted(10)}) {
      CAPTURE(late.type);
      Task after = ended;
      Apply(late.View(), after);
      CHECK(Text(after) == Text(ended));
      CHECK(after.version == ended.version + 1);
    }
  }
  const Task rejected =
      FoldAll({Requested(1), Event(2, "agent.handoff.rejected", "'reason':'deadline_passed'")});
  CHECK(rejected.status == TaskStatus::kRejected);
  CHECK(rejected.reason == "deadline_passed");
}

TEST_CASE("what a task that waits was cancelled for is told, though it had no session") {
  const Task task =
      FoldAll({Requested(1), Event(2, "agent.letta.task.cancelled", "'reason':'not needed'")});
  CHECK(task.status == TaskStatus::kCancelled);
  CHECK(task.reason == "not needed");
}

TEST_CASE("events that don't fit the state change nothing but the version") {
  const auto changes_nothing = [](const std::vector<StoredEvent>& story,
                                  const std::vector<StoredEvent>& strays) {
    const Task before = FoldAll(story);
    for (const StoredEvent& stray : strays) {
      CAPTURE(NameOf(before.status), stray.type, stray.payload);
      Task after = before;
      Apply(stray.View(), after);
      CHECK(Text(after) == Text(before));
      CHECK(after.version == before.version + 1);
    }
  };
  const StoredEvent rejected = Event(20, "agent.handoff.rejected", "'reason':'x'");
  const StoredEvent answer = Answered(20, 4, "'decision':'x'");
  changes_nothing(Waiting(), {Requested(20), CheckpointSaved(20, 1), Asked(20), Paused(20),
                              Resumed(20), Failed(20), RecoveryStarted(20), Restored(20),
                              GoesOn(20), answer, Event(20, "agent.letta.task.completed"),
                              Event(20, "agent.letta.task.blocked", InSession(kSession))});
  changes_nothing(Active(), {Requested(20), Accepted(20), rejected, Resumed(20),
                             RecoveryStarted(20), GoesOn(20), Restored(20), answer});
  changes_nothing(AwaitingAnswer(),
                  {Requested(20), Accepted(20), rejected, RecoveryStarted(20), GoesOn(20), Asked(4),
                   Answered(20, 5, "'decision':'another question'")});
  changes_nothing(Recovering(),
                  {Requested(20), Accepted(20), rejected, Failed(4), RecoveryStarted(5),
                   Resumed(20), Asked(20), CheckpointSaved(20, 2), Paused(20), answer});

  // Of a session that was given up, or of another task.
  std::vector<StoredEvent> gone_on = Recovering();
  gone_on.push_back(Restored(6));
  gone_on.push_back(GoesOn(7));
  changes_nothing(gone_on, {CheckpointSaved(20, 2), Asked(20), Paused(20), Resumed(20), Failed(20),
                            RecoveryStarted(20), Restored(6), GoesOn(7),
                            Event(20, "agent.letta.task.completed", InSession(kSession)),
                            Event(20, "agent.letta.task.blocked", InSession(kSession))});

  for (const auto& story : {Waiting(), Active(), AwaitingAnswer(), Recovering()}) {
    changes_nothing(story, {Event(20, "agent.letta.context.updated", InSession(kSession)),
                            Event(20, "agent.handoff.requested", "'to_agent':'letta-qa'"),
                            Event(20, "a.type.of.others"), Event(20, "")});
  }
}

TEST_CASE("an event that comes twice is folded once") {
  std::vector<StoredEvent> story = AwaitingAnswer();
  story.push_back(Answered(6, 4, "'decision':'JWT'"));
  story.push_back(Resumed(7));
  story.push_back(CheckpointSaved(8, 2));
  story.push_back(Failed(9));
  story.push_back(RecoveryStarted(10));
  story.push_back(Restored(11));
  story.push_back(GoesOn(12));
  story.push_back(Event(13, "agent.letta.task.completed", InSession(kNextSession)));
  Task once;
  Task twice;
  for (const StoredEvent& event : story) {
    CAPTURE(event.type);
    Apply(event.View(), once);
    Apply(event.View(), twice);
    Apply(event.View(), twice);
    CHECK(Text(twice) == Text(once));
  }
  CHECK(once.status == TaskStatus::kCompleted);
}

TEST_CASE("statuses have names, and names statuses") {
  for (int i = 0; i <= static_cast<int>(TaskStatus::kCancelled); ++i) {
    const auto status = static_cast<TaskStatus>(i);
    CHECK_FALSE(NameOf(status).empty());
    CHECK(TaskStatusNamed(NameOf(status)) == status);
  }
  CHECK_FALSE(TaskStatusNamed("Waiting"));
  CHECK_FALSE(TaskStatusNamed(""));
}

// ---- The state as text.

std::string RandomText(Random& random) {
  return random.OneIn(3) ? std::string() : testing::Utf8(testing::RandomUnits(random));
}

std::optional<Uuid> RandomId(Random& random) {
  return random.OneIn(2) ? std::nullopt : std::optional<Uuid>(random.Id());
}

std::optional<Checkpoint> RandomCheckpoint(Random& random) {
  if (random.OneIn(2)) return std::nullopt;
  return Checkpoint{.id = RandomText(random),
                    .event_id = random.Id(),
                    .sequence = random.Between(0, 1'000'000'000'000),
                    .conversation_id = RandomText(random),
                    .message_id = RandomText(random),
                    .message_count = random.Between(-5, 5),
                    .memory_digest = RandomText(random)};
}

Task RandomTask(Random& random) {
  Task task{
      .id = random.Id(),
      .request = {.workflow_id = random.Id(),
                  .from_agent = RandomText(random),
                  .to_agent = RandomText(random),
                  .task_type = RandomText(random),
                  .description = RandomText(random),
                  .priority = static_cast<int>(random.Between(-1, 2)),
                  .idempotency_key = RandomText(random),
                  .agent_id = RandomText(random)},
      .status = static_cast<TaskStatus>(random.Below(8)),
      .reason = RandomText(random),
      .session_id = RandomId(random),
      .instance_id = RandomText(random),
      .agent_id = RandomText(random),
      .conversation_id = RandomText(random),
      .accepted = RandomId(random),
      .going = RandomId(random),
      .failed = RandomId(random),
      .recovery_started = RandomId(random),
      .context_restored = RandomId(random),
      .recovered_from = RandomCheckpoint(random),
      .checkpoint = RandomCheckpoint(random),
      .answer = RandomText(random),
      .recoveries = random.Between(0, 9),
      .version = random.Between(0, 1'000'000),
  };
  if (random.OneIn(2)) {
    task.request.context = testing::WriteJsonTree(random, testing::RandomJsonObject(random));
    task.request.context = std::string(json::Value::Checked(task.request.context).text());
  }
  if (random.OneIn(2)) {
    task.request.deadline =
        absl::FromUnixMicros(random.Between(-60'000'000'000'000'000, 200'000'000'000'000'000));
  }
  if (random.OneIn(2)) {
    task.question = Question{
        .request_id = random.Id(), .settled_by = RandomId(random), .answer = RandomText(random)};
  }
  return task;
}

TEST_CASE("a state that is written and read is the same state") {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const Task task = RandomTask(random);
    const std::string text = WriteState(task);
    const auto read = ReadState(text);
    REQUIRE(read.ok());
    REQUIRE(WriteState(*read) == text);
    REQUIRE(read->request.deadline == task.request.deadline);
    REQUIRE(read->request.context == task.request.context);
    REQUIRE(read->question.has_value() == task.question.has_value());
    REQUIRE(read->checkpoint.has_value() == task.checkpoint.has_value());
    REQUIRE(read->answer == task.answer);
  }
}

TEST_CASE("a state may have fields of a later version, and must have those that all have") {
  std::string text = WriteState(FoldAll(Recovering()));
  const auto plain = ReadState(text);
  text.insert(1, R"("later":{"session_id":[1,{}]},)");
  const auto read = ReadState(text);
  REQUIRE(read.ok());
  CHECK(WriteState(*read) == WriteState(*plain));

  for (const char* wrong :
       {"", "[]", "7", "null", "{", "{}", "{'task_id':'x'}",
        "{'task_id':'00000000-0000-4000-8000-000000000001','status':'waiting'}",
        "{'task_id':'00000000-0000-4000-8000-000000000001','status':'asleep','request':{}}",
        "{'task_id':7,'status':'waiting','request':{}}",
        "{'task_id':'00000000-0000-4000-8000-000000000001','status':'waiting','request':[]}"}) {
    CAPTURE(wrong);
    CHECK_FALSE(ReadState(Json(wrong)).ok());
  }
}

TEST_CASE("whatever payloads hold, the fold goes on, and its state can be stored") {
  static constexpr const char* kTypes[] = {"agent.handoff.accepted",
                                           "agent.handoff.rejected",
                                           "agent.letta.checkpoint.saved",
                                           "agent.feedback.requested",
                                           "agent.feedback.response",
                                           "agent.feedback.timed_out",
                                           "agent.feedback.withdrawn",
                                           "agent.letta.session.paused",
                                           "agent.letta.session.resumed",
                                           "agent.letta.session.failed",
                                           "agent.letta.session.recovery.started",
                                           "agent.letta.context.restored",
                                           "agent.letta.task.resumed"};
  static constexpr const char* kKeys[] = {
      "agent_instance_id", "letta",    "checkpoint_id", "sequence",      "memory_digest", "reason",
      "failure_reason",    "decision", "response",      "new_session_id"};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    Task task = FoldAll(Waiting());
    for (std::uint64_t n = 2; n < 20; ++n) {
      std::string payload = Json(StrCat("{", InSession(kSession + random.Below(2))));
      for (const char* key : kKeys) {
        if (random.OneIn(2)) continue;
        StrAppend(&payload, ",\"", key,
                  "\":", testing::WriteJsonTree(random, testing::RandomJson(random)));
      }
      payload.push_back('}');
      const StoredEvent event{
          FakeId(n), random.Pick(kTypes), payload, {FakeId(1 + random.Below(n))}};
      CAPTURE(seed, n, event.type, payload);
      Apply(event.View(), task);
      REQUIRE(task.version == static_cast<std::int64_t>(n));
      const std::string text = WriteState(task);
      const auto read = ReadState(text);
      REQUIRE(read.ok());
      REQUIRE(WriteState(*read) == text);
    }
  }
}

}  // namespace
}  // namespace god33::letta
