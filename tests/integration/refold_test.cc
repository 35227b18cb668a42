#include "services/event-store-manager/refold.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <thread>

#include "absl/strings/str_join.h"
#include "services/event-store-api/reader.h"
#include "services/event-store-api/workflow_store.h"
#include "testing/servers.h"
#include "tests/integration/events.h"
#include "tests/integration/projecting.h"
#include "tests/integration/refolding.h"

// Rebuilding and verifying the projections.

namespace god33::manager {
namespace {

using testing::AppendAll;
using testing::Differences;
using testing::Dump;
using testing::Find;
using testing::MakeEnvelope;
using testing::NewId;
using testing::Projecting;
using testing::Quoted;
using testing::RandomLog;
using testing::Rebuild;
using testing::Run;
using testing::SeeThrough;
using testing::Start;
using testing::TestDatabase;
using testing::Text;
using testing::Verify;

// What the database refuses, although the folds don't know it.
void RefusePhase(const TestDatabase& database, const std::string& phase) {
  for (const char* schema : {"public", "shadow"}) {
    Run(database, StrCat("ALTER TABLE ", schema, ".workflow_state ADD CONSTRAINT refused CHECK ",
                         "(current_phase <> '", phase, "')"));
  }
}

TEST_CASE("folding from nothing gives the live projections, row by row, whatever came late") {
  const unsigned seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u);
  CAPTURE(seed);
  TestDatabase database;
  RefusePhase(database, "refused");
  const auto connection = TestDatabase::Connect(database.Writer());
  const std::vector<event::Envelope> events = RandomLog(seed, 600);
  Projecting projecting(database);
  std::mt19937 random(seed);
  const std::size_t most_at_once = seed % 2 == 0 ? 8 : 60;
  const std::size_t most_steps = seed % 3 == 0 ? 1 : 6;
  std::vector<Uuid> jobs;
  for (std::size_t i = 0; i < events.size();) {
    const std::size_t size = std::min<std::size_t>(1 + random() % most_at_once, events.size() - i);
    const auto begin = events.begin() + static_cast<std::ptrdiff_t>(i);
    REQUIRE(AppendAll(*connection, {begin, begin + static_cast<std::ptrdiff_t>(size)}).ok());
    i += size;
    for (std::size_t steps = random() % (most_steps + 1); steps > 0; --steps) projecting.Step();
    // Frozen ones are tried again while the log grows.
    if (random() % 10 == 0) Run(database, "UPDATE fold_failures SET next_attempt_at = now()");
    // Jobs run while events arrive.
    if (random() % 20 == 0 && Text(database,
                                   "SELECT count(*)::text FROM projection_jobs "
                                   "WHERE state = 'running'") == "0") {
      jobs.push_back(Start(database, random() % 2 == 0 ? "verify" : "rebuild"));
    }
  }
  projecting.CatchUp();
  for (const Uuid& id : jobs) {
    const ProjectionJob job = SeeThrough(database, projecting, id);
    CAPTURE(job.kind, job.error);
    CHECK(job.state == "completed");
    CHECK(job.counts.differing() == 0);
    for (const ProjectionDifference& difference : Differences(database, id)) {
      UNSCOPED_INFO(difference.table << " " << difference.id.ToString() << " "
                                     << difference.difference << " " << difference.column << ": "
                                     << difference.live.value_or("(null)") << " / "
                                     << difference.folded.value_or("(null)"));
    }
  }
  const std::string live = Dump(database);
  CHECK(live.size() > 1000);
  const ProjectionJob rebuilt = Rebuild(database, projecting);
  CHECK(rebuilt.counts.differing() == 0);
  CHECK(rebuilt.counts.checked > 10);
  CHECK(Dump(database) == live);
  CHECK(Verify(database, projecting).counts.differing() == 0);
}

// Ten workflows with a few events each.
std::vector<Uuid> AppendWorkflows(const TestDatabase& database, int count, int each) {
  const auto connection = TestDatabase::Connect(database.Writer());
  std::vector<Uuid> workflows;
  std::vector<event::Envelope> events;
  for (int i = 0; i < count; ++i) {
    workflows.push_back(NewId());
    for (int n = 0; n < each; ++n) {
      events.push_back(MakeEnvelope(
          n == 0 ? "bmad.workflow.started" : "a.note",
          StrCat("{", Quoted("workflow_id", workflows.back()), ",\"project_name\":\"p\"}")));
    }
  }
  for (std::size_t i = 0; i < events.size(); i += 500) {
    const auto begin = events.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end =
        events.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(i + 500, events.size()));
    REQUIRE(AppendAll(*connection, {begin, end}).ok());
  }
  return workflows;
}

TEST_CASE("what somebody did to a projection is found by verify and mended by rebuild") {
  TestDatabase database;
  const std::vector<Uuid> workflows = AppendWorkflows(database, 4, 3);
  Projecting projecting(database);
  projecting.CatchUp();
  const std::string right = Dump(database);
  CHECK(Verify(database, projecting).counts.checked == 4);

  const auto where = [&](std::size_t i) {
    return StrCat(" WHERE workflow_id = '", workflows[i].ToString(), "'");
  };
  Run(database,
      "UPDATE workflow_state SET current_phase = 'hacked', metadata = "
      "(metadata::text || ' ')::json" +
          where(0));
  Run(database, "DELETE FROM workflow_state" + where(1));
  Run(database,
      StrCat("INSERT INTO workflow_state SELECT '", NewId().ToString(),
             "', project_name, current_phase, NULL, started_at, updated_at, NULL, metadata,"
             " correlation_ids, phase_history, agent_handoffs, version, position"
             " FROM workflow_state") +
          where(2));
  const std::string wrong = Dump(database);
  const ProjectionJob job = Verify(database, projecting);
  CHECK(Dump(database) == wrong);
  CHECK(job.counts.checked == 5);
  CHECK(job.counts.changed == 1);
  CHECK(job.counts.added == 1);
  CHECK(job.counts.removed == 1);
  const auto found = Differences(database, job.id);
  REQUIRE(found.size() == 4);
  const auto phase = std::find_if(found.begin(), found.end(), [](const auto& difference) {
    return difference.column == "current_phase";
  });
  REQUIRE(phase != found.end());
  CHECK(phase->id == workflows[0]);
  CHECK(phase->table == "workflow_state");
  CHECK(phase->live == "hacked");
  CHECK(phase->folded == "analysis");

  // One of them alone.
  CHECK(Verify(database, projecting, {.workflow = workflows[0]}).counts.changed == 1);
  CHECK(Verify(database, projecting, {.workflow = workflows[1]}).counts.added == 1);
  CHECK(Verify(database, projecting, {.workflow = workflows[3]}).counts.differing() == 0);
  CHECK(Verify(database, projecting, {.workflow = workflows[3]}).counts.checked == 1);
  CHECK(Text(database, "SELECT count(*)::text FROM shadow.workflow_state") == "0");

  const ProjectionJob mended = Rebuild(database, projecting);
  CHECK(mended.counts.differing() == 3);
  CHECK(mended.generation == 2);
  CHECK(Dump(database) == right);
  CHECK(Text(database, "SELECT generation::text FROM projection_identity") == "2");
  CHECK(Text(database, "SELECT count(*)::text FROM shadow.workflow_state") == "0");
  CHECK(Verify(database, projecting).counts.differing() == 0);
}

TEST_CASE("differences are counted all and listed up to a bound") {
  TestDatabase database;
  AppendWorkflows(database, 150, 1);
  Projecting projecting(database);
  projecting.CatchUp();
  Run(database, "UPDATE workflow_state SET metadata = to_json(repeat('x', 5000))");
  const ProjectionJob job = Verify(database, projecting);
  CHECK(job.counts.changed == 150);
  const auto found = Differences(database, job.id);
  CHECK(found.size() == ProjectionDiff::kMostListed);
  CHECK(found.front().live->size() < ProjectionDiff::kMostValueBytes + 10);
}

TEST_CASE("a session is verified with the recovery that opened it, and long aggregates in steps") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid first = NewId();
  const Uuid second = NewId();
  const Uuid workflow = NewId();
  const std::string in = StrCat("{", Quoted("session_id", first));
  std::vector<event::Envelope> events = {
      MakeEnvelope("agent.handoff.accepted", StrCat(in, ",", Quoted("workflow_id", workflow), "}")),
      MakeEnvelope("agent.letta.session.failed", in + "}"),
      MakeEnvelope("agent.letta.session.recovery.started",
                   StrCat(in, ",", Quoted("new_session_id", second), "}"))};
  for (int i = 0; i < 2300; ++i) {
    events.push_back(
        MakeEnvelope("agent.letta.checkpoint.saved",
                     StrCat("{", Quoted("session_id", second), ",", Quoted("workflow_id", workflow),
                            ",\"checkpoint_id\":\"c", i, "\"}")));
  }
  REQUIRE(AppendAll(*connection, events).ok());
  Projecting projecting(database);
  projecting.CatchUp();
  for (const ProjectionScope& scope :
       {ProjectionScope{.session = first}, {.session = second}, {.workflow = workflow}}) {
    const ProjectionJob job = Verify(database, projecting, scope);
    CHECK(job.counts.differing() == 0);
    CHECK(job.counts.checked == 1);
  }
  Run(database,
      StrCat("UPDATE agent_sessions SET version = 1 WHERE session_id = '", second.ToString(), "'"));
  CHECK(Verify(database, projecting, {.session = first}).counts.differing() == 0);
  const ProjectionJob job = Verify(database, projecting, {.session = second});
  CHECK(job.counts.changed == 1);
  CHECK(Differences(database, job.id).front().folded == "2301");
}

TEST_CASE(
    "an aggregate that can't be folded is frozen in the rebuilt projections, too, and mends") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid broken = NewId();
  const std::string of = StrCat("{", Quoted("workflow_id", broken));
  REQUIRE(AppendAll(*connection,
                    {MakeEnvelope("a.note", of + "}"),
                     MakeEnvelope("bmad.workflow.started",
                                  StrCat(of, ",\"phase\":\"", std::string(60, 'x'), "\"}")),
                     MakeEnvelope("a.note", of + "}")})
              .ok());
  Projecting projecting(database);
  projecting.CatchUp();
  const std::string live = Dump(database);
  CHECK(Rebuild(database, projecting).counts.differing() == 0);
  CHECK(Dump(database) == live);
  CHECK(Verify(database, projecting, {.workflow = broken}).counts.differing() == 0);

  // Mended, the live one is folded on after its swap; the verification tells what was behind.
  Run(database, "UPDATE events SET payload = '{\"phase\":\"short\"}' WHERE position = 2");
  const ProjectionJob behind = Verify(database, projecting);
  CHECK(behind.counts.changed == 1);
  CHECK(behind.counts.removed == 1);  // from fold_failures
  CHECK(Rebuild(database, projecting).counts.differing() == 2);
  CHECK(Text(database, "SELECT concat_ws(' ', version, current_phase) FROM workflow_state") ==
        "3 short");
  CHECK(Text(database, "SELECT count(*)::text FROM fold_failures") == "0");
}

TEST_CASE("one job runs at a time; a cancelled one changes nothing") {
  TestDatabase database;
  AppendWorkflows(database, 3, 2);
  const auto connection = TestDatabase::Connect(database.Writer());
  ProjectionJobs jobs(*connection);
  const Uuid first = Start(database, "rebuild");
  const absl::Status refused =
      jobs.Insert({.id = NewId(), .kind = "verify", .requested_by = "test"});
  CHECK(ReasonOf(refused) == "PROJECTION_JOB_RUNNING");
  CHECK(MessageOf(refused).find(first.ToString()) != std::string::npos);

  Run(database, "UPDATE projection_jobs SET phase = 'folding'");
  REQUIRE(jobs.Cancel(first).ok());
  Projecting projecting(database);
  projecting.CatchUp();
  CHECK(Find(database, first).state == "cancelled");
  CHECK(Text(database, "SELECT generation::text FROM projection_identity") == "1");
  CHECK(ReasonOf(jobs.Save(Find(database, first))) == "PROJECTION_JOB_ENDED");
  CHECK(Rebuild(database, projecting).counts.differing() == 0);
}

TEST_CASE("the next holder of the lease goes on with a job; the former one writes nothing more") {
  TestDatabase database;
  AppendWorkflows(database, 40, 500);
  Projecting first(database);
  for (int i = 0; i < 200 && first.position() < 20'000; ++i) first.Step();
  const Uuid id = Start(database, "rebuild");
  for (int i = 0; i < 100 && Find(database, id).cursor.position == 0; ++i) first.Step();
  const ProjectionJob begun = Find(database, id);
  REQUIRE(begun.state == "running");
  REQUIRE(begun.cursor.position > 0);
  REQUIRE(begun.cursor.position < 20'000);

  Run(database, "UPDATE cursors SET expires_at = '-infinity'");
  Projecting second(database, "another");
  CHECK(first.TryStep() == "LEASE_LOST");
  second.Step();
  CHECK(Find(database, id).cursor.position >= begun.cursor.position);
  CHECK(first.TryStep() == "LEASE_LOST");
  second.CatchUp();
  const ProjectionJob ended = Find(database, id);
  INFO(ended.error);
  CHECK(ended.state == "completed");
  CHECK(ended.counts.differing() == 0);
  CHECK(ended.counts.checked == 40);
  // Nothing was folded twice.
  CHECK(ended.folded == 20'000);
  CHECK(first.TryStep() == "LEASE_LOST");
}

TEST_CASE("a rebuild waits for long queries, lets others read meanwhile, and swaps behind them") {
  TestDatabase database;
  AppendWorkflows(database, 5, 2);
  Projecting projecting(database);
  projecting.CatchUp();
  const auto reader = TestDatabase::Connect(database.Reader());
  REQUIRE(reader->Execute("BEGIN").ok());
  REQUIRE(reader->Execute("LOCK TABLE workflow_state IN ACCESS SHARE MODE").ok());
  const Uuid id = Start(database, "rebuild");
  projecting.CatchUp();
  const ProjectionJob waiting = Find(database, id);
  CHECK(waiting.state == "running");
  CHECK(waiting.phase == "swapping");
  CHECK(waiting.swap_attempts >= 1);
  CHECK(waiting.error.find("waits for a moment") == 0);
  CHECK(Text(database, "SELECT count(*)::text FROM workflow_state") == "5");

  // The live projections go on, and so does what is to take their place.
  AppendWorkflows(database, 2, 2);
  projecting.CatchUp();
  CHECK(Text(database, "SELECT count(*)::text FROM workflow_state") == "7");
  REQUIRE(reader->Execute("COMMIT").ok());
  const ProjectionJob swapped = SeeThrough(database, projecting, id);
  CHECK(swapped.state == "completed");
  CHECK(swapped.generation == 2);
  CHECK(swapped.error == "");
  CHECK(Text(database, "SELECT count(*)::text FROM workflow_state") == "7");
}

// Asks as fast as it can for a workflow and for all; remembers what should not have been, and how long
// the slowest answer took.
class BusyReader {
 public:
  BusyReader(const TestDatabase& database, const Uuid& workflow, int rows)
      : reader_({.database = database.Reader(), .connections = 1}),
        thread_([this, workflow, rows] { Read(workflow, rows); }) {}

  ~BusyReader() { End(); }

  void End() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

  int reads() const { return reads_; }
  const std::string& error() const { return error_; }
  absl::Duration slowest() const { return slowest_; }

 private:
  void Read(const Uuid& workflow, int rows) {
    constexpr pg::Statement kCount = {"count",
                                      "SELECT (SELECT count(*) FROM workflow_state), (SELECT "
                                      "sum(version) FROM workflow_state)::bigint"};
    while (!stop_ && error_.empty()) {
      const std::int64_t began = MonotonicNanos();
      store::v1::Workflow answer;
      absl::Status status = api::WorkflowStore(reader_).Get(workflow, 0, answer).status();
      slowest_ = std::max(slowest_, absl::Nanoseconds(MonotonicNanos() - began));
      if (status.ok() && answer.version() != 2) status = absl::InternalError("another state");
      if (status.ok()) {
        status = reader_.Run([&](pg::Connection& connection) -> absl::Status {
          const auto counted = connection.Query(kCount);
          if (!counted.ok()) return counted.status();
          if (counted->Int8(0, 0) == rows && counted->Int8(0, 1) == 2 * rows)
            return absl::OkStatus();
          return absl::InternalError(StrCat(counted->Int8(0, 0), " rows"));
        });
      }
      if (!status.ok()) error_ = std::string(MessageOf(status));
      ++reads_;
    }
  }

  api::Reader reader_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> reads_ = 0;
  std::string error_;
  absl::Duration slowest_;
  std::thread thread_;
};

TEST_CASE(
    "readers with prepared statements read on through swaps: no error, nothing empty or half") {
  TestDatabase database;
  constexpr int kRows = 300;
  const std::vector<Uuid> workflows = AppendWorkflows(database, kRows, 2);
  Projecting projecting(database);
  projecting.CatchUp();
  BusyReader one(database, workflows[0], kRows);
  BusyReader two(database, workflows[7], kRows);
  Stop never;
  constexpr int kSwaps = 15;
  for (int i = 0; i < kSwaps; ++i) {
    const Uuid id = Start(database, "rebuild");
    const int before = one.reads();
    while (Find(database, id).state == "running") {
      projecting.CatchUp();
      never.WaitFor(absl::Milliseconds(2));
    }
    CHECK(Find(database, id).state == "completed");
    for (int n = 0; n < 500 && one.reads() < before + 5; ++n) {
      never.WaitFor(absl::Milliseconds(2));
    }
  }
  one.End();
  two.End();
  CHECK(one.error() == "");
  CHECK(two.error() == "");
  CHECK(one.reads() > kSwaps);
  CHECK(Text(database, "SELECT generation::text FROM projection_identity") == StrCat(kSwaps + 1));
  WARN("slowest read through " << kSwaps << " swaps: "
                               << absl::FormatDuration(std::max(one.slowest(), two.slowest())));
}

TEST_CASE("everything that projections have is compared, but when folds were tried") {
  TestDatabase database;
  AppendWorkflows(database, 1, 1);
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid session = NewId();
  REQUIRE(AppendAll(*connection, {MakeEnvelope("agent.message.sent",
                                               StrCat("{", Quoted("session_id", session), "}"))})
              .ok());
  Projecting projecting(database);
  projecting.CatchUp();
  // A column that verification forgets would hide here.
  const std::string columns = Text(database, R"sql(
    SELECT string_agg(table_name || '.' || column_name, ' ' ORDER BY table_name, column_name)
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name IN ('workflow_state', 'agent_sessions')
      AND column_name NOT IN ('workflow_id', 'session_id') OR
      table_schema = 'public' AND table_name = 'agent_sessions' AND column_name = 'workflow_id')sql");
  Run(database, R"sql(
    UPDATE workflow_state SET project_name = 'x', current_phase = 'x', current_agent = 'x',
      started_at = '2000-01-01Z', updated_at = '2000-01-01Z', completed_at = '2000-01-01Z',
      metadata = '1', correlation_ids = '{}', phase_history = '1', agent_handoffs = '1',
      version = 77, position = 77;
    UPDATE agent_sessions SET agent_type = 'x', agent_instance_id = 'x', checkpoint_id = 'x',
      workflow_id = gen_random_uuid(), started_at = '2000-01-01Z', last_active_at = '2000-01-01Z',
      completed_at = '2000-01-01Z', status = 'x', metadata = '1', project_name = 'x', version = 77,
      position = 77)sql");
  const ProjectionJob job = Verify(database, projecting);
  CHECK(job.counts.changed == 2);
  std::vector<std::string> compared;
  for (const auto& difference : Differences(database, job.id)) {
    compared.push_back(StrCat(difference.table, ".", difference.column));
  }
  std::sort(compared.begin(), compared.end());
  CHECK(absl::StrJoin(compared, " ") == columns);
}

}  // namespace
}  // namespace god33::manager
