#include <catch2/catch.hpp>
#include <random>

#include "testing/servers.h"
#include "tests/integration/events.h"
#include "tests/integration/projecting.h"

namespace god33::manager {
namespace {

using testing::AppendAll;
using testing::MakeEnvelope;
using testing::NewId;
using testing::Projecting;
using testing::TestDatabase;

// The whole of both projections as text, in a fixed order.
std::string Dump(const TestDatabase& database) {
  constexpr pg::Statement kDump = {"dump", R"sql(
    SELECT coalesce(string_agg(line, E'\n' ORDER BY line), '') FROM (
      SELECT 'w' || w::text AS line FROM workflow_state AS w
      UNION ALL SELECT 's' || s::text FROM agent_sessions AS s) AS lines)sql"};
  const auto rows = TestDatabase::Connect(database.Admin())->Query(kDump);
  REQUIRE(rows.ok());
  return std::string(rows->Bytes(0, 0));
}

void ForgetProjections(const TestDatabase& database) {
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute("TRUNCATE workflow_state, agent_sessions, fold_failures; "
                        "UPDATE cursors SET position = 0, within = 0, expires_at = '-infinity'")
              .ok());
}

std::string Text(const TestDatabase& database, const std::string& sql) {
  const pg::Statement statement = {"text", sql.c_str()};
  const auto rows = TestDatabase::Connect(database.Admin())->Query(statement);
  REQUIRE(rows.ok());
  return rows->rows() == 0 ? "(none)" : std::string(rows->Bytes(0, 0));
}

std::string Quoted(const char* key, const Uuid& id) {
  return StrCat("\"", key, "\":\"", id.ToString(), "\"");
}

TEST_CASE("pattern 1 of the architecture ends in the workflow and the session it describes") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  const Uuid session = NewId();
  const std::string of = Quoted("workflow_id", workflow);
  const auto started = MakeEnvelope("bmad.workflow.started",
                                    StrCat("{", of, ",\"project_name\":\"user-authentication\"}"));
  const auto solutioned = MakeEnvelope(
      "bmad.workflow.phase.completed",
      StrCat("{", of, ",\"phase\":\"analysis\",\"next_phase\":\"solutioning\"}"), {started.id});
  const auto requested = MakeEnvelope(
      "bmad.workflow.handoff.requested",
      StrCat("{", of, ",\"from_agent\":\"bmad-architect\",\"to_agent\":\"letta-python-dev\"}"),
      {solutioned.id});
  const auto accepted = MakeEnvelope("agent.handoff.accepted",
                                     StrCat("{", of, ",", Quoted("session_id", session),
                                            ",\"agent_type\":\"letta\",\"checkpoint_id\":\"c0\"}"),
                                     {requested.id});
  const auto saved = MakeEnvelope(
      "agent.letta.checkpoint.saved",
      StrCat("{", Quoted("session_id", session), ",\"checkpoint_id\":\"c1\"}"), {accepted.id});
  const auto completed =
      MakeEnvelope("agent.letta.task.completed",
                   StrCat("{", Quoted("session_id", session), ",\"final_checkpoint_id\":\"c9\"}"),
                   {accepted.id, saved.id});
  REQUIRE(
      AppendAll(*connection, {started, solutioned, requested, accepted, saved, completed}).ok());
  Projecting projecting(database);
  projecting.CatchUp();
  CHECK(projecting.position() == 6);
  CHECK(Text(database,
             "SELECT concat_ws(' ', project_name, current_phase, current_agent, version, "
             "cardinality(correlation_ids)) FROM workflow_state") ==
        "user-authentication implementation letta-python-dev 6 6");
  CHECK(Text(database,
             "SELECT concat_ws(' ', agent_type, status, checkpoint_id, version, "
             "workflow_id) FROM agent_sessions") ==
        StrCat("letta-python-dev completed c9 3 ", workflow.ToString()));
}

// A log of random workflows and sessions, parents sometimes arriving after their children.
std::vector<event::Envelope> RandomLog(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Uuid> workflows = {NewId(), NewId(), NewId(), NewId()};
  std::vector<Uuid> sessions = {NewId(), NewId(), NewId()};
  const std::vector<std::string> types = {
      "bmad.workflow.started",           "bmad.workflow.phase.completed",
      "bmad.workflow.handoff.requested", "agent.handoff.accepted",
      "agent.letta.checkpoint.saved",    "agent.letta.task.completed",
      "agent.letta.session.paused",      "agent.letta.session.recovery.started",
      "bmad.workflow.completed",         "some.thing"};
  std::vector<event::Envelope> events;
  for (int i = 0; i < 400; ++i) {
    event::Envelope event = MakeEnvelope(types[random() % types.size()]);
    std::string payload =
        StrCat("{\"phase\":\"p", random() % 3, "\",\"to_agent\":\"letta-", random() % 3,
               "\",\"project_name\":\"p\",\"checkpoint_id\":\"c", i, "\"");
    if (random() % 3 == 0) {
      StrAppend(&payload, ",", Quoted("workflow_id", workflows[random() % workflows.size()]));
    }
    if (random() % 2 == 0) {
      StrAppend(&payload, ",", Quoted("session_id", sessions[random() % sessions.size()]));
    }
    if (random() % 9 == 0) {
      StrAppend(&payload, ",", Quoted("new_session_id", sessions[random() % sessions.size()]));
    }
    event.payload = payload + "}";
    for (std::size_t p = random() % 3; p > 0 && !events.empty(); --p) {
      const Uuid& parent = events[random() % events.size()].id;
      if (std::find(event.parents.begin(), event.parents.end(), parent) == event.parents.end()) {
        event.parents.push_back(parent);
      }
    }
    events.push_back(event);
  }
  // Nearby events swap places, so that some parents come late.
  for (std::size_t i = 0; i + 30 < events.size(); i += 7) {
    std::swap(events[i], events[i + random() % 30]);
  }
  return events;
}

TEST_CASE(
    "folding while the log grows and folding it from nothing give the same, to the last byte") {
  const unsigned seed = GENERATE(1u, 2u, 3u);
  TestDatabase database;
  const std::vector<event::Envelope> events = RandomLog(seed);
  {
    const auto connection = TestDatabase::Connect(database.Writer());
    Projecting projecting(database);
    std::mt19937 random(seed);
    for (std::size_t i = 0; i < events.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 25, events.size() - i);
      const auto begin = events.begin() + static_cast<std::ptrdiff_t>(i);
      REQUIRE(AppendAll(*connection, {begin, begin + static_cast<std::ptrdiff_t>(size)}).ok());
      i += size;
      for (std::size_t steps = random() % 3; steps > 0; --steps) projecting.Step();
    }
    projecting.CatchUp();
  }
  const std::string live = Dump(database);
  ForgetProjections(database);
  Projecting again(database);
  again.CatchUp();
  CHECK(Dump(database) == live);
  CHECK(live.size() > 1000);
}

TEST_CASE("a late parent with more descendants than one step folds is folded whole, once") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  const event::Envelope parent =
      MakeEnvelope("a.parent", StrCat("{", Quoted("workflow_id", workflow), "}"));
  std::vector<event::Envelope> children;
  for (int i = 0; i < 2600; ++i) children.push_back(MakeEnvelope("a.child", "{}", {parent.id}));
  REQUIRE(AppendAll(*connection, children).ok());
  REQUIRE(AppendAll(*connection, {parent, MakeEnvelope("a.after", "{}", {parent.id})}).ok());
  Projecting projecting(database);
  projecting.CatchUp();
  CHECK(Text(database,
             "SELECT concat_ws(' ', version, position, cardinality(correlation_ids)) "
             "FROM workflow_state") == "2602 2602 1000");
}

TEST_CASE("a fold that fails freezes its aggregate only, and goes on when it can") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid broken = NewId();
  const Uuid fine = NewId();
  const auto start = [](const Uuid& workflow, const std::string& phase) {
    return MakeEnvelope("bmad.workflow.started",
                        StrCat("{", Quoted("workflow_id", workflow),
                               ",\"project_name\":\"p\",\"phase\":\"", phase, "\"}"));
  };
  const auto note = [](const Uuid& workflow) {
    return MakeEnvelope("a.note", StrCat("{", Quoted("workflow_id", workflow), "}"));
  };
  REQUIRE(AppendAll(*connection, {note(broken), start(broken, std::string(60, 'x')),
                                  start(fine, "x"), note(broken), note(fine)})
              .ok());
  Projecting projecting(database);
  projecting.CatchUp();
  const std::string versions =
      "SELECT string_agg(version::text, ' ' ORDER BY version) FROM workflow_state";
  CHECK(Text(database, versions) == "1 2");
  CHECK(Text(database,
             "SELECT concat_ws(' ', aggregate_id, position, attempts) FROM fold_failures") ==
        StrCat(broken.ToString(), " 2 1"));

  // Tried again, it fails again, and waits longer.
  const auto retry_now = [&] {
    REQUIRE(TestDatabase::Connect(database.Admin())
                ->Execute("UPDATE fold_failures SET next_attempt_at = now()")
                .ok());
    projecting.CatchUp();
  };
  retry_now();
  CHECK(Text(database, "SELECT concat_ws(' ', position, attempts) FROM fold_failures") == "2 2");

  // Mended (here by mending the event), it folds all that it has missed.
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute("UPDATE events SET payload = '{\"phase\":\"short\"}' WHERE position = 2")
              .ok());
  retry_now();
  CHECK(Text(database, "SELECT count(*)::text FROM fold_failures") == "0");
  CHECK(Text(database, versions) == "2 3");
}

TEST_CASE("a state that the table refuses freezes its aggregate only") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute("ALTER TABLE workflow_state ADD CHECK (project_name <> 'refused')")
              .ok());
  const auto start = [](const std::string& project) {
    return MakeEnvelope("bmad.workflow.started", StrCat("{", Quoted("workflow_id", NewId()),
                                                        ",\"project_name\":\"", project, "\"}"));
  };
  REQUIRE(AppendAll(*connection, {start("a"), start("refused"), start("b")}).ok());
  Projecting projecting(database);
  projecting.CatchUp();
  CHECK(projecting.position() == 3);
  CHECK(Text(database,
             "SELECT string_agg(project_name, ' ' ORDER BY project_name) "
             "FROM workflow_state") == "a b");
  CHECK(Text(database, "SELECT count(*)::text FROM fold_failures") == "1");
}

TEST_CASE("events that were stored before their workflow's project was known get it afterwards") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  const std::string of = StrCat("{", Quoted("workflow_id", workflow));
  REQUIRE(
      AppendAll(*connection, {MakeEnvelope("a.early", of + "}"), MakeEnvelope("a.other")}).ok());
  REQUIRE(AppendAll(*connection,
                    {MakeEnvelope("bmad.workflow.started", of + ",\"project_name\":\"p\"}")})
              .ok());
  Projecting projecting(database);
  projecting.CatchUp();
  CHECK(Text(database,
             "SELECT string_agg(coalesce(project, '-'), ' ' ORDER BY position) "
             "FROM events") == "p - p");
}

}  // namespace
}  // namespace god33::manager
