#include "services/event-store-manager/retention.h"

#include <array>
#include <catch2/catch.hpp>
#include <thread>

#include "pg/error.h"
#include "services/event-store-manager/retention_plan.h"
#include "testing/servers.h"
#include "tests/integration/events.h"
#include "tests/integration/months.h"
#include "tests/integration/projecting.h"
#include "tests/integration/refolding.h"

// Dropping months of the log.

namespace god33::manager {
namespace {

using testing::AppendAll;
using testing::Differences;
using testing::Dump;
using testing::MakeEnvelope;
using testing::NewId;
using testing::Projecting;
using testing::Quoted;
using testing::RandomLog;
using testing::Rebuild;
using testing::Run;
using testing::SpreadOverMonths;
using testing::TestDatabase;
using testing::Text;
using testing::Verify;

void Append(const TestDatabase& database, const std::vector<event::Envelope>& events) {
  const auto connection = TestDatabase::Connect(database.Writer());
  constexpr std::size_t kAtOnce = 50;
  for (std::size_t i = 0; i < events.size(); i += kAtOnce) {
    const auto begin = events.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end = std::min(begin + kAtOnce, events.end());
    const auto stored = AppendAll(*connection, {begin, end});
    INFO(stored.status());
    REQUIRE(stored.ok());
  }
}

std::string Horizon(const TestDatabase& database) {
  return Text(database, "SELECT (coalesce(max(last_position), 0) + 1)::text FROM dropped_months");
}

// No relay runs in these tests.
void PassRelay(const TestDatabase& database) {
  Run(database,
      "INSERT INTO cursors (name, log_id, position) SELECT 'outbox', log_id, 1000000 FROM "
      "log_identity ON CONFLICT (name) DO UPDATE SET position = 1000000");
}

// Steps until the log begins there.
bool DropsTo(const TestDatabase& database, Projecting& projecting, const std::string& horizon) {
  const Stop never;
  for (int i = 0; i < 300; ++i) {
    projecting.CatchUp();
    if (Horizon(database) == horizon) return true;
    never.WaitFor(absl::Milliseconds(50));
  }
  return false;
}

// Reasons why the oldest month waits, with so many months kept.
std::string Holds(const TestDatabase& database, int months) {
  const auto plan = ReadRetentionPlan(*TestDatabase::Connect(database.Writer()), months);
  INFO(plan.status());
  REQUIRE(plan.ok());
  REQUIRE_FALSE(plan->listed.empty());
  if (!plan->listed[0].due) return "(not due)";
  std::string reasons;
  for (const RetentionHold& hold : plan->listed[0].holds) {
    StrAppend(&reasons, reasons.empty() ? "" : " ", hold.reason);
  }
  return reasons;
}

void CheckSame(const TestDatabase& database, const ProjectionJob& job) {
  CHECK(job.counts.differing() == 0);
  for (const ProjectionDifference& difference : Differences(database, job.id)) {
    UNSCOPED_INFO(difference.table << " " << difference.id.ToString() << " "
                                   << difference.difference << " " << difference.column << ": "
                                   << difference.live.value_or("(null)") << " / "
                                   << difference.folded.value_or("(null)"));
  }
  CHECK(job.error.empty());
}

TEST_CASE(
    "what is folded from a log without its first months equals what was folded from all of it") {
  const unsigned seed = GENERATE(1u, 2u, 3u, 4u);
  CAPTURE(seed);
  TestDatabase database;
  Append(database, RandomLog(seed, 600, false));
  // So that late members, parents and hand-offs lie on both sides of each boundary.
  SpreadOverMonths(database, {130, 250, 380, 500, 600});
  PassRelay(database);
  Projecting all(database, "all", 0);
  all.CatchUp();
  const std::string live = Dump(database);
  REQUIRE(Text(database, "SELECT count(*)::text FROM fold_failures") == "0");
  Run(database, "UPDATE cursors SET expires_at = '-infinity' WHERE name = 'projector'");

  Projecting projecting(database, "keeps two", 2);
  REQUIRE(DropsTo(database, projecting, "251"));
  CHECK(Dump(database) == live);
  // Not all logs have something that is still read; this one has.
  if (seed == 1) CHECK(Text(database, "SELECT count(*)::text FROM retained_events") != "0");
  CHECK(Text(database, "SELECT min(position)::text FROM events") == "251");
  CHECK(Text(database, "SELECT count(*)::text FROM event_ids") == "600");
  CheckSame(database, Verify(database, projecting));
  CHECK(Text(database, "SELECT min(folded)::text FROM projection_jobs WHERE kind = 'verify'") !=
        "0");
  for (const char* table : {"workflow_state", "agent_sessions"}) {
    const bool workflow = std::string(table) == "workflow_state";
    const auto id = Uuid::Parse(
        Text(database, StrCat("SELECT ", workflow ? "workflow_id" : "session_id",
                              "::text FROM snapshot.", table, " ORDER BY version DESC LIMIT 1")));
    REQUIRE(id);
    ProjectionScope scope;
    (workflow ? scope.workflow : scope.session) = *id;
    CheckSame(database, Verify(database, projecting, scope));
  }

  // More arrives, of which some names what is gone, and more goes.
  Append(database, RandomLog(seed + 100, 200, false));
  projecting.CatchUp();
  Run(database, "UPDATE cursors SET expires_at = '-infinity' WHERE name = 'projector'");
  Projecting one(database, "keeps one", 1);
  REQUIRE(DropsTo(database, one, "381"));
  const std::string later = Dump(database);
  CheckSame(database, Verify(database, one));
  CheckSame(database, Rebuild(database, one));
  CHECK(Dump(database) == later);
  CheckSame(database, Verify(database, one));
}

// Three months of one event each, of a workflow and a session; the oldest is due with one month kept.
struct ThreeMonths {
  ThreeMonths() {
    const auto connection = TestDatabase::Connect(database.Writer());
    for (int i = 0; i < 3; ++i) {
      events.push_back(MakeEnvelope(
          "agent.letta.checkpoint.saved",
          StrCat("{", Quoted("workflow_id", workflow), ",", Quoted("session_id", session), "}")));
      Append(database, {events.back()});
    }
    SpreadOverMonths(database, {1, 2, 3});
    PassRelay(database);
  }

  TestDatabase database;
  const Uuid workflow = NewId();
  const Uuid session = NewId();
  std::vector<event::Envelope> events;
};

TEST_CASE("a month waits for everybody who needs it, and says for whom") {
  ThreeMonths log;
  CHECK(Holds(log.database, 0) == "(not due)");
  CHECK(Holds(log.database, 2) == "(not due)");
  CHECK(Holds(log.database, 1) == "projector");
  Projecting projecting(log.database);
  projecting.CatchUp();
  CHECK(Holds(log.database, 1).empty());

  const std::vector<std::array<std::string, 3>> holds = {
      {"relay", "UPDATE cursors SET position = 0 WHERE name = 'outbox'",
       "UPDATE cursors SET position = 3 WHERE name = 'outbox'"},
      {"cursor", "INSERT INTO cursors (name, log_id) SELECT 'follower', log_id FROM log_identity",
       "DELETE FROM cursors WHERE name = 'follower'"},
      {"late_parents", "INSERT INTO adoptions VALUES (1)", "DELETE FROM adoptions"},
      {"late_parents",
       "INSERT INTO late_parents SELECT 3, event_id FROM event_ids WHERE position = 3; INSERT INTO "
       "event_orphans SELECT event_id, 1 FROM event_ids WHERE position = 3",
       "DELETE FROM late_parents; DELETE FROM event_orphans"},
      {"frozen_fold",
       "INSERT INTO fold_failures (projection, aggregate_id, since, position, error, "
       "next_attempt_at) VALUES ('workflow', gen_random_uuid(), 1, 1, 'e', 'infinity')",
       "DELETE FROM fold_failures"},
      {"replay",
       "INSERT INTO replays (replay_id, requested_by, event_types, from_position, to_position, "
       "exchange, rate, total, total_exact, position) VALUES (gen_random_uuid(), 't', '{}', 1, 3, "
       "'x', 1, 3, true, 0)",
       "UPDATE replays SET state = 'failed'"},
      {"projection_job",
       "INSERT INTO projection_jobs (job_id, kind, requested_by) VALUES (gen_random_uuid(), "
       "'verify', 't')",
       "UPDATE projection_jobs SET state = 'cancelled'"}};
  for (const auto& [reason, hold, release] : holds) {
    CAPTURE(reason, hold);
    Run(log.database, hold);
    CHECK(Holds(log.database, 1) == reason);
    // Whoever asks: it is the function that looks.
    CHECK(pg::SqlState(TestDatabase::Connect(log.database.Writer())
                           ->Execute("SELECT drop_event_month((SELECT min(month) FROM log_months), "
                                     "1, NULL)")) == "55000");
    Run(log.database, release);
    CHECK(Holds(log.database, 1).empty());
  }
  CHECK(Horizon(log.database) == "1");
}

TEST_CASE("the writer can drop nothing by accident") {
  ThreeMonths log;
  Projecting(log.database).CatchUp();
  const auto writer = TestDatabase::Connect(log.database.Writer());
  const auto state = [&](const std::string& sql) { return pg::SqlState(writer->Execute(sql)); };
  const std::string job = NewId().ToString();
  const auto drop = [&](const char* month, int keep) {
    return state(StrCat("SELECT drop_event_month((SELECT ", month, " FROM log_months), ", keep,
                        ", '", job, "')"));
  };
  CHECK(drop("min(month)", 1) == "55000");  // there is no snapshot
  Run(log.database,
      StrCat("INSERT INTO projection_jobs (job_id, kind, phase, requested_by, month, position) "
             "SELECT '",
             job, "', 'snapshot', 'dropping', 't', min(month), 1 FROM log_months"));
  CHECK(drop("min(month)", 2) == "55000");  // it is to be kept
  CHECK(drop("min(month)", 0) == "55000");
  CHECK(drop("min(month)", -1) == "55000");
  CHECK(drop("max(month)", 1) == "55000");  // not the oldest
  Run(log.database, StrCat("UPDATE projection_jobs SET position = 0"));
  CHECK(drop("min(month)", 1) == "55000");  // not folded to its end
  CHECK(state("DROP TABLE events") == "42501");
  CHECK(state("TRUNCATE events") == "42501");
  CHECK(state("DELETE FROM events") == "42501");
  CHECK(state("DELETE FROM log_months") == "42501");
  CHECK(state("DELETE FROM event_ids") == "42501");
  CHECK(state("DELETE FROM retained_events") == "42501");
  CHECK(pg::SqlState(TestDatabase::Connect(log.database.Reader())
                         ->Execute("SELECT drop_event_month(now(), 1, NULL)")) == "42501");
  CHECK(Text(log.database, "SELECT count(*)::text FROM events") == "3");
}

TEST_CASE(
    "ids outlive their month: a retried event is a duplicate, another one with its id a conflict") {
  ThreeMonths log;
  Projecting projecting(log.database, "test", 1);
  REQUIRE(DropsTo(log.database, projecting, "2"));
  const auto connection = TestDatabase::Connect(log.database.Writer());
  const auto again = AppendAll(*connection, {log.events[0]});
  REQUIRE(again.ok());
  CHECK(again->duplicates == 1);
  CHECK(again->new_events == 0);
  event::Envelope other = log.events[0];
  other.payload = "{\"n\":1}";
  const auto conflict = AppendAll(*connection, {other});
  REQUIRE(conflict.ok());
  CHECK(conflict->new_events == 0);
  CHECK(conflict->duplicates == 0);
  // A child of it belongs where it belonged.
  Append(log.database, {MakeEnvelope("a.b", "{}", {log.events[0].id})});
  CHECK(Text(log.database, StrCat("SELECT count(*)::text FROM memberships WHERE group_id = '",
                                  log.workflow.ToString(), "'")) == "4");
}

TEST_CASE("the last months stay, also when nobody writes or the clock runs ahead") {
  TestDatabase database;
  Append(database, {MakeEnvelope("a.b"), MakeEnvelope("a.b"), MakeEnvelope("a.b")});
  SpreadOverMonths(database, {1, 2, 3});
  // As if nothing had been written for years.
  Run(database, "UPDATE log_months SET month = month - interval '10 years'");
  CHECK(Holds(database, 1) == "projector relay");
  CHECK(Holds(database, 2) == "(not due)");
  // As if the newest had been recorded by a clock that is wrong.
  Run(database, "UPDATE log_months SET month = month + interval '10 years'");
  Run(database,
      "UPDATE log_months SET month = month + interval '5 years' WHERE first_position = 3");
  CHECK(Holds(database, 1) == "projector relay");
  CHECK(Holds(database, 2) == "(not due)");
}

TEST_CASE("who reads for long is not disturbed, and keeps others waiting for a moment only") {
  ThreeMonths log;
  Projecting projecting(log.database, "test", 1);
  const auto reader = TestDatabase::Connect(log.database.Reader());
  REQUIRE(reader->Execute("BEGIN; SELECT count(*) FROM events").ok());
  projecting.CatchUp();
  const auto tries = [&] {
    return Text(log.database, "SELECT coalesce(max(swap_attempts), 0)::text FROM projection_jobs");
  };
  const Stop never;
  std::int64_t longest = 0;
  for (int i = 0; i < 40 && tries() < "3"; ++i) {
    const auto writer = TestDatabase::Connect(log.database.Writer());
    std::thread appends([&] {
      for (int n = 0; n < 20; ++n) {
        const std::int64_t began = MonotonicNanos();
        CHECK(AppendAll(*writer, {MakeEnvelope("a.b")}).ok());
        longest = std::max(longest, MonotonicNanos() - began);
      }
    });
    projecting.CatchUp();
    appends.join();
    never.WaitFor(absl::Milliseconds(50));
  }
  CHECK(tries() >= "3");
  CHECK(longest < 1'000'000'000);
  CHECK(Text(log.database, "SELECT error FROM projection_jobs").find("long queries") !=
        std::string::npos);
  CHECK(Horizon(log.database) == "1");
  REQUIRE(reader->Execute("COMMIT").ok());
  CHECK(DropsTo(log.database, projecting, "2"));
}

// As if a job's last steps took longer than a lease lasts; notes in `leases` what is left of the
// projector's when they are committed.
void MakeLastStepsLong(const TestDatabase& database) {
  Run(database, R"sql(
    CREATE TABLE public.leases (kind text, remaining interval);
    CREATE FUNCTION public.be_long() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      UPDATE public.cursors SET expires_at = clock_timestamp() WHERE name = 'projector';
      RETURN NULL;
    END $$;
    CREATE FUNCTION public.note_lease() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      INSERT INTO public.leases
        SELECT NEW.kind, expires_at - clock_timestamp() FROM public.cursors WHERE name = 'projector';
      RETURN NULL;
    END $$;
    CREATE TRIGGER be_long AFTER UPDATE ON projection_jobs FOR EACH ROW
      WHEN (OLD.phase = 'comparing' AND NEW.phase = 'swapping' OR NEW.state = 'completed')
      EXECUTE FUNCTION public.be_long();
    CREATE CONSTRAINT TRIGGER note_lease AFTER UPDATE ON projection_jobs
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
      WHEN (OLD.phase = 'comparing' AND NEW.phase = 'swapping' OR NEW.state = 'completed')
      EXECUTE FUNCTION public.note_lease())sql");
}

TEST_CASE("who did long work holds its lease afterwards, as long as others expect of a lease") {
  ThreeMonths log;
  MakeLastStepsLong(log.database);
  Projecting projecting(log.database, "test", 1);
  REQUIRE(DropsTo(log.database, projecting, "2"));
  Rebuild(log.database, projecting);
  Verify(log.database, projecting);
  CHECK(Text(log.database, "SELECT string_agg(kind, ' ' ORDER BY kind) FROM leases") ==
        "rebuild rebuild snapshot verify");
  CHECK(Text(log.database,
             "SELECT coalesce(string_agg(remaining::text, ' '), 'none') FROM leases "
             "WHERE NOT (remaining > '4 seconds' AND remaining <= '5 seconds')") == "none");
  CHECK(Text(log.database,
             "SELECT count(*)::text FROM cursors "
             "WHERE expires_at > clock_timestamp() + interval '5 seconds'") == "0");
}

TEST_CASE("a drop that a crash has cut short is finished by the next one") {
  ThreeMonths log;
  const auto reader = TestDatabase::Connect(log.database.Reader());
  {
    Projecting first(log.database, "first", 1);
    REQUIRE(reader->Execute("BEGIN; SELECT count(*) FROM events").ok());
    const Stop never;
    for (int i = 0;
         i < 100 && Text(log.database, "SELECT phase FROM projection_jobs") != "dropping"; ++i) {
      first.CatchUp();
      never.WaitFor(absl::Milliseconds(20));
    }
    REQUIRE(Text(log.database, "SELECT phase FROM projection_jobs") == "dropping");
  }
  REQUIRE(reader->Execute("COMMIT").ok());
  Run(log.database, "UPDATE cursors SET expires_at = '-infinity' WHERE name = 'projector'");
  Projecting second(log.database, "second", 1);
  CHECK(DropsTo(log.database, second, "2"));
  CHECK(Text(log.database, "SELECT count(*)::text FROM projection_jobs") == "1");
  CheckSame(log.database, Verify(log.database, second));
}

TEST_CASE("a manager that keeps all months does not finish what another one began") {
  ThreeMonths log;
  Run(log.database,
      "INSERT INTO projection_jobs (job_id, kind, requested_by, month, target) SELECT "
      "gen_random_uuid(), 'snapshot', 'retention', min(month), 1 FROM log_months");
  Projecting projecting(log.database);
  const Stop never;
  for (int i = 0; i < 100 && Text(log.database, "SELECT state FROM projection_jobs") == "running";
       ++i) {
    projecting.CatchUp();
    never.WaitFor(absl::Milliseconds(20));
  }
  CHECK(Text(log.database, "SELECT state FROM projection_jobs") == "failed");
  CHECK(Horizon(log.database) == "1");
}

}  // namespace
}  // namespace god33::manager
