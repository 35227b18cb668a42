#include "services/letta-bridge/task_events.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "json/value.h"
#include "testing/fake_ids.h"
#include "testing/json_tree.h"
#include "unit/letta_bridge/story.h"
#include "unit/printers.h"
#include "wire/registry.h"

namespace god33::letta {
namespace {

using testing::Random;

const wire::PayloadRegistry& Registry() {
  static const wire::PayloadRegistry registry;
  return registry;
}

// Ids of what is decided on begin behind those that the tests name.
class Ids final : public IdSource {
 public:
  Uuid New() override { return FakeId(++last_); }

 private:
  std::uint64_t last_ = 10'000;
};

// A task and the log of its events.
class Story {
 public:
  explicit Story(const StoredEvent& request = Requested(1)) { Store(request); }

  void Store(const StoredEvent& event) {
    Apply(event.View(), task_);
    log_.push_back(event);
  }

  // What is decided must be fit for the log: valid, with causes that are there.
  std::vector<Draft> Decide(const std::function<void(TaskEvents&)>& decide) {
    TaskEvents events(task_, ids_);
    decide(events);
    std::vector<Draft> drafts = events.Take();
    for (const Draft& draft : drafts) {
      const bool is_fit =
          json::Value::Parse(draft.payload).ok() && Registry().entries().contains(draft.type) &&
          Registry().Check(draft.type, draft.payload).empty() && !draft.parents.empty() &&
          std::all_of(draft.parents.begin(), draft.parents.end(),
                      [this](const Uuid& parent) { return Find(parent) != nullptr; });
      if (!is_fit) FAIL(draft.type << " " << draft.payload);
      log_.push_back({draft.id, draft.type, draft.payload, draft.parents});
    }
    task_ = events.task();
    return drafts;
  }

  const StoredEvent* Find(const Uuid& id) const {
    const auto found = std::find_if(log_.begin(), log_.end(),
                                    [&id](const StoredEvent& event) { return event.id == id; });
    return found == log_.end() ? nullptr : &*found;
  }

  // The newest of the type.
  const Uuid& Last(std::string_view type) const {
    const auto found = std::find_if(log_.rbegin(), log_.rend(), [type](const StoredEvent& event) {
      return event.type == type;
    });
    REQUIRE(found != log_.rend());
    return found->id;
  }

  const Task& task() const { return task_; }
  const std::vector<StoredEvent>& log() const { return log_; }
  Uuid NewId() { return ids_.New(); }

 private:
  Ids ids_;
  Task task_;
  std::vector<StoredEvent> log_;
};

const TaskEvents::Session kSession{.id = FakeId(500),
                                   .instance_id = "letta-python-dev-001",
                                   .agent_id = "agent-1",
                                   .conversation_id = "conv-1"};

CheckpointRecord Record(const std::string& id, const std::string& type = "progress") {
  return {.id = id,
          .type = type,
          .agent_id = "agent-1",
          .conversation_id = "conv-1",
          .message_id = "m-1",
          .message_count = 12,
          .memory_commit = "5f2d1c0",
          .memory_digest = "d-1",
          .progress = {.summary = "half done",
                       .files_modified = {"src/login.py"},
                       .current_focus = "tests",
                       .next_steps = {"more tests"}},
          .tokens_used = 1234,
          .duration = absl::Seconds(90),
          .directory = "/srv/work",
          .worktree_head = "1b64538",
          .worktree_digest = "e3b0"};
}

void Accept(Story& story) {
  story.Decide([](TaskEvents& events) {
    events.Accept(kSession, "c-0");
    events.SaveCheckpoint(Record("c-0", "initial"));
  });
}

std::string Text(const Draft& draft, std::string_view key) {
  const auto value = json::Value::Checked(draft.payload).Find(key);
  return value ? std::string(value->is_string() ? value->ToString() : value->text()) : "";
}

TEST_CASE(
    "pattern 1: the acceptance follows the request, checkpoints the acceptance, the end both") {
  Story story;
  const auto accepted = story.Decide([](TaskEvents& events) {
    events.Accept(kSession, "c-0");
    events.SaveCheckpoint(Record("c-0", "initial"));
  });
  REQUIRE(accepted.size() == 2);
  CHECK(accepted[0].type == "agent.handoff.accepted");
  CHECK(accepted[0].parents == std::vector{FakeId(1)});
  CHECK(Text(accepted[0], "workflow_id") == FakeId(kWorkflow).ToString());
  CHECK(Text(accepted[0], "task_id") == FakeId(1).ToString());
  CHECK(Text(accepted[0], "session_id") == FakeId(500).ToString());
  CHECK(Text(accepted[0], "agent_type") == "letta");
  CHECK(Text(accepted[0], "accepted_from") == "bmad-architect");
  CHECK(Text(accepted[0], "checkpoint_id") == "c-0");
  CHECK(accepted[0].agent_type == "letta-python-dev");
  CHECK(accepted[0].instance_id == "letta-python-dev-001");
  CHECK(accepted[0].checkpoint_id == "c-0");
  CHECK(accepted[1].type == "agent.letta.checkpoint.saved");
  CHECK(accepted[1].parents == std::vector{accepted[0].id});
  CHECK(Text(accepted[1], "checkpoint_type") == "initial");
  CHECK(Text(accepted[1], "sequence") == "1");

  const auto saved = story.Decide([](TaskEvents& events) { events.SaveCheckpoint(Record("c-1")); });
  CHECK(saved[0].parents == std::vector{accepted[0].id});
  CHECK(Text(saved[0], "sequence") == "2");
  CHECK(
      Text(saved[0], "context_snapshot") ==
      R"({"files_modified":["src/login.py"],"current_focus":"tests","next_steps":["more tests"]})");
  CHECK(Text(saved[0], "metrics") == R"({"tokens_used":1234,"duration_seconds":90})");
  CHECK(Text(saved[0], "worktree") ==
        R"({"path":"/srv/work","head":"1b64538","diff_sha256":"e3b0"})");
  CHECK(Text(saved[0], "letta") ==
        R"({"agent_id":"agent-1","conversation_id":"conv-1","last_message_id":"m-1",)"
        R"("message_count":12,"memory_commit":"5f2d1c0"})");

  const auto completed = story.Decide([](TaskEvents& events) {
    events.Complete({.summary = "built",
                     .artifacts = R"([{"type":"code","path":"a.py","status":"created"}])",
                     .validation = R"({"tests_passed":true,"coverage_pct":87.5})",
                     .next_action = "qa_review"});
  });
  CHECK(completed[0].type == "agent.letta.task.completed");
  CHECK(completed[0].parents == std::vector{accepted[0].id, saved[0].id});
  CHECK(Text(completed[0], "final_checkpoint_id") == "c-1");
  CHECK(Text(completed[0], "next_action") == "qa_review");
  CHECK(story.task().status == TaskStatus::kCompleted);
}

TEST_CASE("pattern 3: each step of a recovery follows the one before, and the end names them all") {
  Story story;
  Accept(story);
  const Uuid checkpoint = story.Last("agent.letta.checkpoint.saved");
  const auto failed =
      story.Decide([](TaskEvents& events) { events.FailSession("connection_lost", "gone"); });
  CHECK(failed[0].parents == std::vector{checkpoint});
  CHECK(Text(failed[0], "last_checkpoint_id") == "c-0");
  CHECK(Text(failed[0], "session_id") == FakeId(500).ToString());

  const auto recovered = story.Decide([](TaskEvents& events) {
    events.StartRecovery(FakeId(501), 2);
    events.RestoreContext("agent-1", "conv-2", R"({"messages_kept":12})");
    events.ResumeTask();
  });
  REQUIRE(recovered.size() == 3);
  CHECK(recovered[0].parents == std::vector{failed[0].id});
  CHECK(Text(recovered[0], "session_id") == FakeId(500).ToString());
  CHECK(Text(recovered[0], "new_session_id") == FakeId(501).ToString());
  CHECK(Text(recovered[0], "recovering_from_checkpoint") == "c-0");
  CHECK(Text(recovered[0], "epoch") == "2");
  CHECK(recovered[1].parents == std::vector{recovered[0].id});
  CHECK(Text(recovered[1], "session_id") == FakeId(501).ToString());
  CHECK(Text(recovered[1], "checkpoint_id") == "c-0");
  CHECK(recovered[2].parents == std::vector{recovered[1].id});
  CHECK(Text(recovered[2], "resuming_from") == "c-0");

  const auto saved = story.Decide([](TaskEvents& events) { events.SaveCheckpoint(Record("c-1")); });
  CHECK(saved[0].parents == std::vector{recovered[2].id});
  const auto completed =
      story.Decide([](TaskEvents& events) { events.Complete({.summary = "built"}); });
  CHECK(completed[0].parents == std::vector{FakeId(1), checkpoint, recovered[2].id, saved[0].id});
}

TEST_CASE(
    "pattern 4: the checkpoint and the pause follow the question, what comes next the answer") {
  Story story;
  Accept(story);
  const auto asked = story.Decide([](TaskEvents& events) {
    events.Ask({.question = "Which?",
                .context = R"(["a","b"])",
                .options = {"a", "b"},
                .fallback = "a",
                .answer_by = absl::FromUnixSeconds(1769508000)},
               Record("c-1", "pre-feedback"));
  });
  REQUIRE(asked.size() == 3);
  CHECK(asked[0].type == "agent.feedback.requested");
  CHECK(asked[0].parents == std::vector{story.Last("agent.handoff.accepted")});
  CHECK(Text(asked[0], "question") == "Which?");
  CHECK(Text(asked[0], "options") == R"(["a","b"])");
  CHECK(Text(asked[0], "default") == "a");
  CHECK(Text(asked[0], "deadline") == "2026-01-27T10:00:00Z");
  CHECK(Text(asked[0], "blocking") == "true");
  CHECK(asked[1].type == "agent.letta.checkpoint.saved");
  CHECK(asked[1].parents == std::vector{asked[0].id});
  CHECK(asked[2].type == "agent.letta.session.paused");
  CHECK(asked[2].parents == std::vector{asked[0].id});
  CHECK(Text(asked[2], "reason") == "awaiting_feedback");

  const StoredEvent answer = Event(2, "agent.feedback.response", "'decision':'b'", {asked[0].id});
  story.Store(answer);
  const auto resumed = story.Decide([](TaskEvents& events) { events.Resume("conv-2"); });
  REQUIRE(resumed.size() == 2);
  CHECK(resumed[0].type == "agent.letta.session.resumed");
  CHECK(resumed[0].parents == std::vector{answer.id});
  CHECK(Text(resumed[0], "resuming_from_checkpoint") == "c-1");
  CHECK(resumed[1].type == "agent.letta.context.updated");
  CHECK(resumed[1].parents == std::vector{answer.id});
  CHECK(Text(resumed[1], "decision_incorporated") == "b");
  CHECK(story.task().answer == "b");
}

TEST_CASE("a question that nobody answers is settled by its default, or withdrawn") {
  Story story;
  Accept(story);
  story.Decide([](TaskEvents& events) {
    events.Ask({.question = "Which?", .fallback = "a"}, Record("c-1", "pre-feedback"));
  });
  const Uuid request = story.Last("agent.feedback.requested");
  SECTION("by its default") {
    const auto drafts = story.Decide([&](TaskEvents& events) { events.TimeOut(request, "a"); });
    CHECK(drafts[0].type == "agent.feedback.timed_out");
    CHECK(drafts[0].parents == std::vector{request});
    CHECK(story.task().question->answer == "a");
  }
  SECTION("withdrawn") {
    const auto drafts =
        story.Decide([&](TaskEvents& events) { events.Withdraw(request, "ada", "no need"); });
    CHECK(drafts[0].type == "agent.feedback.withdrawn");
    CHECK(drafts[0].parents == std::vector{request});
    CHECK(story.task().question->answer.empty());
  }
  const Uuid settled = *story.task().question->settled_by;
  const auto resumed = story.Decide([](TaskEvents& events) { events.Resume("conv-2"); });
  CHECK(resumed[0].parents == std::vector{settled});
}

TEST_CASE("a pause that was asked for follows the checkpoint, and so does what ends it") {
  Story story;
  Accept(story);
  const auto paused = story.Decide([](TaskEvents& events) {
    events.SaveCheckpoint(Record("c-1", "on-demand"));
    events.Pause("requested");
  });
  CHECK(paused[1].parents == std::vector{paused[0].id});
  CHECK(Text(paused[1], "checkpoint_id") == "c-1");
  const auto resumed = story.Decide([](TaskEvents& events) { events.Resume("conv-2"); });
  REQUIRE(resumed.size() == 1);
  CHECK(resumed[0].parents == std::vector{paused[0].id});
}

TEST_CASE("a rejection names who asked whom, and why, also of a request without a workflow") {
  Story story(Event(1, "agent.handoff.requested",
                    "'from_agent':'bmad-architect','to_agent':'letta-python-dev'"));
  const auto rejected = story.Decide(
      [](TaskEvents& events) { events.Reject("invalid_payload", "workflow_id: expected a UUID"); });
  CHECK(rejected[0].parents == std::vector{FakeId(1)});
  CHECK(Text(rejected[0], "reason") == "invalid_payload");
  CHECK(Text(rejected[0], "to_agent") == "letta-python-dev");
  CHECK(Text(rejected[0], "from_agent") == "bmad-architect");
  CHECK(Text(rejected[0], "workflow_id").empty());
  CHECK(story.task().status == TaskStatus::kRejected);
}

TEST_CASE("a task can be cancelled before anybody has taken it") {
  Story story;
  const auto cancelled =
      story.Decide([](TaskEvents& events) { events.Cancel("not needed", "ada"); });
  CHECK(cancelled[0].parents == std::vector{FakeId(1)});
  CHECK(story.task().status == TaskStatus::kCancelled);
}

TEST_CASE("with a task its open question goes, too") {
  Story story;
  Accept(story);
  story.Decide([](TaskEvents& events) {
    events.Ask({.question = "Which?"}, Record("c-1", "pre-feedback"));
  });
  const Uuid request = story.Last("agent.feedback.requested");
  const auto cancelled =
      story.Decide([](TaskEvents& events) { events.Cancel("not needed", "ada"); });
  REQUIRE(cancelled.size() == 2);
  CHECK(cancelled[0].type == "agent.feedback.withdrawn");
  CHECK(cancelled[0].parents == std::vector{request});
  CHECK(cancelled[1].type == "agent.letta.task.cancelled");
}

TEST_CASE("a hand-off of an agent follows what made its session go, and the checkpoint before it") {
  Story story;
  Accept(story);
  const auto handed = story.Decide([](TaskEvents& events) {
    events.SaveCheckpoint(Record("c-1", "pre-handoff"));
    events.HandOver("letta-qa-engineer", "Test it", R"({"file_references":["a.py"]})");
  });
  CHECK(handed[1].type == "agent.handoff.requested");
  CHECK(handed[1].parents == std::vector{story.Last("agent.handoff.accepted"), handed[0].id});
  CHECK(Text(handed[1], "from_agent") == "letta-python-dev");
  CHECK(Text(handed[1], "to_agent") == "letta-qa-engineer");
  CHECK(Text(handed[1], "workflow_id") == FakeId(kWorkflow).ToString());
  CHECK(story.task().status == TaskStatus::kActive);
}

// ---- Whatever is decided, in any order that is legal.

bool Ends(const std::string& type) {
  return type == "agent.handoff.rejected" || type == "agent.letta.task.completed" ||
         type == "agent.letta.task.blocked" || type == "agent.letta.task.cancelled";
}

std::string AnyText(Random& random) {
  return "x" + testing::Utf8(testing::RandomUnits(random));
}

CheckpointRecord AnyRecord(Random& random, Story& story, const std::string& type) {
  CheckpointRecord record = Record(story.NewId().ToString(), type);
  record.message_count = random.Between(0, 100);
  record.progress.summary = AnyText(random);
  record.progress.next_steps = {AnyText(random), AnyText(random)};
  if (random.OneIn(3)) record.message_id.clear();
  if (random.OneIn(3)) record.directory.clear();
  return record;
}

void GoOnWaiting(Random& random, Story& story) {
  if (random.OneIn(8)) {
    story.Decide([&](TaskEvents& events) { events.Reject("deadline_passed", AnyText(random)); });
  } else if (random.OneIn(8)) {
    story.Decide([&](TaskEvents& events) { events.Cancel(AnyText(random), AnyText(random)); });
  } else {
    story.Decide([&](TaskEvents& events) {
      TaskEvents::Session session = kSession;
      session.id = story.NewId();
      const CheckpointRecord record = AnyRecord(random, story, "initial");
      events.Accept(session, record.id);
      events.SaveCheckpoint(record);
    });
  }
}

void GoOnActive(Random& random, Story& story) {
  const std::size_t choice = random.Below(9);
  story.Decide([&](TaskEvents& events) {
    if (choice == 0) {
      events.Ask({.question = AnyText(random), .fallback = AnyText(random)},
                 AnyRecord(random, story, "pre-feedback"));
      return;
    }
    if (choice == 1) return events.FailSession("stalled", AnyText(random));
    events.SaveCheckpoint(AnyRecord(random, story, "progress"));
    if (choice == 2) events.HandOver("letta-qa-engineer", AnyText(random), "{}");
    if (choice == 3) events.Pause("requested");
    if (random.OneIn(10)) return events.Complete({.summary = AnyText(random)});
    if (random.OneIn(20)) return events.Block(AnyText(random), AnyText(random));
    if (random.OneIn(20)) events.Cancel(AnyText(random), AnyText(random));
  });
}

void GoOnPaused(Random& random, Story& story) {
  const auto question = story.task().question;
  if (random.OneIn(20)) {
    story.Decide([&](TaskEvents& events) { events.Cancel(AnyText(random), ""); });
  } else if (!question || question->settled_by) {
    story.Decide([&](TaskEvents& events) { events.Resume(AnyText(random)); });
  } else if (random.OneIn(3)) {
    story.Decide([&](TaskEvents& events) { events.TimeOut(question->request_id, "a"); });
  } else if (random.OneIn(3)) {
    story.Decide([&](TaskEvents& events) { events.Withdraw(question->request_id, "ada", ""); });
  } else {
    story.Store({story.NewId(),
                 "agent.feedback.response",
                 Json(StrCat("{", IdMember("other", 1), ",'decision':'b'}")),
                 {question->request_id}});
  }
}

void GoOnRecovering(Random& random, Story& story) {
  story.Decide([&](TaskEvents& events) {
    if (events.task().failed && random.OneIn(2)) {
      events.StartRecovery(story.NewId(), random.Between(2, 9));
      if (random.OneIn(4)) return events.FailSession("connection_lost", "");
      events.RestoreContext("agent-2", AnyText(random), "{}");
      events.ResumeTask();
    } else if (random.OneIn(10)) {
      events.Block("recovery_limit", "");
    } else if (random.OneIn(10)) {
      events.Cancel("", "");
    } else if (random.OneIn(4)) {
      events.Pause("requested");
    }
  });
}

TEST_CASE("the fold of all that was decided is the state that it was decided in") {
  int ended = 0;
  std::size_t longest = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Story story;
    for (int step = 0; step < 25 && !IsOver(story.task().status); ++step) {
      switch (story.task().status) {
        case TaskStatus::kWaiting:
          GoOnWaiting(random, story);
          break;
        case TaskStatus::kActive:
          GoOnActive(random, story);
          break;
        case TaskStatus::kPaused:
          GoOnPaused(random, story);
          break;
        default:
          GoOnRecovering(random, story);
      }
      // A stray in between: an answer to another question.
      if (random.OneIn(10)) {
        story.Store(
            {story.NewId(), "agent.feedback.response", Json("{'decision':'c'}"), {FakeId(1)}});
      }
    }
    REQUIRE(WriteState(FoldAll(story.log())) == WriteState(story.task()));
    const auto ends = std::count_if(story.log().begin(), story.log().end(),
                                    [](const StoredEvent& event) { return Ends(event.type); });
    REQUIRE(ends == (IsOver(story.task().status) ? 1 : 0));
    ended += static_cast<int>(ends);
    longest = std::max(longest, story.log().size());
  }
  CHECK(ended > 500);
  CHECK(longest > 30);
}

}  // namespace
}  // namespace god33::letta
