#include "services/event-store-api/timeline.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "base/error.h"
#include "base/stop.h"
#include "services/event-store-api/workflow_history.h"
#include "services/event-store-api/workflow_store.h"
#include "testing/servers.h"
#include "tests/integration/events.h"
#include "tests/integration/projecting.h"

namespace god33::api {
namespace {

using store::v1::Workflow;
using testing::AppendAll;
using testing::MakeEnvelope;
using testing::NewId;
using testing::Projecting;
using testing::TestDatabase;

std::string Quoted(const char* key, const Uuid& id) {
  return StrCat("\"", key, "\":\"", id.ToString(), "\"");
}

// A workflow's state as text; why there is none, otherwise.
std::string Text(const absl::Status& status, const Workflow& workflow) {
  return status.ok() ? workflow.SerializeAsString() : ReasonOf(status);
}

std::string Now(Reader& reader, const Uuid& id) {
  Workflow workflow;
  const absl::Status status = WorkflowStore(reader).Get(id, 0, workflow).status();
  return Text(status, workflow);
}

std::string At(Reader& reader, const Uuid& id, std::int64_t position) {
  Workflow workflow;
  const absl::Status status =
      WorkflowHistory(reader).Get({.workflow = id, .at_position = position}, workflow).status();
  return Text(status, workflow);
}

std::string At(Reader& reader, const Uuid& id, absl::Time time) {
  Workflow workflow;
  const absl::Status status =
      WorkflowHistory(reader).Get({.workflow = id, .at_time = time}, workflow).status();
  return Text(status, workflow);
}

// Workflows with hand-offs; some parents come after their children.
std::vector<event::Envelope> RandomHistory(unsigned seed, const std::vector<Uuid>& workflows) {
  std::mt19937 random(seed);
  const std::vector<std::string> types = {
      "bmad.workflow.started",           "bmad.workflow.phase.completed",
      "bmad.workflow.handoff.requested", "agent.handoff.requested",
      "agent.handoff.accepted",          "agent.letta.task.completed",
      "bmad.workflow.completed",         "some.thing"};
  std::vector<event::Envelope> events;
  for (int i = 0; i < 160; ++i) {
    event::Envelope event = MakeEnvelope(types[random() % types.size()]);
    event.time = absl::FromUnixSeconds(1'700'000'000 + static_cast<int>(random() % 1000));
    event.payload = StrCat("{\"phase\":\"p", random() % 3, "\",\"from_agent\":\"bmad-",
                           random() % 3, "\",\"to_agent\":\"letta-", random() % 3, "\"");
    if (random() % 3 == 0) StrAppend(&event.payload, ",\"next_phase\":\"p", random() % 3, "\"");
    if (random() % 3 == 0) {
      StrAppend(&event.payload, ",", Quoted("workflow_id", workflows[random() % workflows.size()]));
    }
    event.payload.push_back('}');
    if (random() % 4 == 0) event.agent_context = event::AgentContext{.type = "letta-ctx"};
    for (std::size_t p = random() % 3; p > 0 && !events.empty(); --p) {
      const Uuid& parent = events[random() % events.size()].id;
      if (std::find(event.parents.begin(), event.parents.end(), parent) == event.parents.end()) {
        event.parents.push_back(parent);
      }
    }
    events.push_back(event);
  }
  for (std::size_t i = 0; i + 30 < events.size(); i += 5) {
    std::swap(events[i], events[i + random() % 30]);
  }
  return events;
}

// As if the log had been written over four months, and recorded every second event at the same
// time as the one before.
void SpreadOverMonths(const TestDatabase& database) {
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute(R"sql(
    DO $$ BEGIN FOR i IN 0..4 LOOP
      PERFORM ensure_event_partition('2026-03-01Z'::timestamptz + make_interval(months => i));
    END LOOP; END $$;
    UPDATE events SET recorded_at = '2026-03-01Z'::timestamptz
      + make_interval(months => (position / 45)::int, secs => position / 2);
    TRUNCATE log_months;
    INSERT INTO log_months SELECT date_trunc('month', recorded_at, 'UTC'), min(position)
      FROM events GROUP BY 1;)sql")
              .ok());
}

void DropMonths(const TestDatabase& database, int count) {
  const auto admin = TestDatabase::Connect(database.Admin());
  REQUIRE(admin
              ->Execute("INSERT INTO cursors (name, log_id, position) SELECT 'outbox', log_id, "
                        "1000000 FROM log_identity; UPDATE cursors SET expires_at = '-infinity'")
              .ok());
  constexpr pg::Statement kDropped = {"dropped", "SELECT count(*) FROM dropped_months"};
  Projecting projecting(database, "drops months", 1);
  const Stop never;
  for (int i = 0; i < 300; ++i) {
    projecting.CatchUp();
    const auto rows = admin->Query(kDropped);
    REQUIRE(rows.ok());
    if (rows->Int8(0, 0) == count) return;
    never.WaitFor(absl::Milliseconds(50));
  }
  FAIL("the months were not dropped");
}

std::vector<absl::Time> RecordedAt(const TestDatabase& database) {
  constexpr pg::Statement kTimes = {"times", "SELECT recorded_at FROM events ORDER BY position"};
  const auto rows = TestDatabase::Connect(database.Admin())->Query(kTimes);
  REQUIRE(rows.ok());
  std::vector<absl::Time> times;
  for (int i = 0; i < rows->rows(); ++i) times.push_back(rows->Time(i, 0));
  return times;
}

TEST_CASE("the state as of every position and time is what the projector had written then") {
  const unsigned seed = GENERATE(1u, 2u, 3u);
  CAPTURE(seed);
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const std::vector<Uuid> workflows = {NewId(), NewId(), NewId()};
  const std::vector<event::Envelope> events = RandomHistory(seed, workflows);
  Reader reader({.database = database.Reader(), .connections = 1});

  std::vector<std::map<Uuid, std::string>> then(1);  // by position
  {
    Projecting projecting(database);
    for (const event::Envelope& event : events) {
      REQUIRE(AppendAll(*connection, {event}).ok());
      projecting.CatchUp();
      then.emplace_back();
      for (const Uuid& id : workflows) then.back()[id] = Now(reader, id);
    }
  }
  SpreadOverMonths(database);
  const std::vector<absl::Time> recorded = RecordedAt(database);
  REQUIRE(recorded.size() == events.size());
  const std::int64_t head = static_cast<std::int64_t>(events.size());
  for (std::int64_t position = 1; position <= head; ++position) {
    CAPTURE(position);
    const auto index = static_cast<std::size_t>(position);
    // The last one recorded at that time.
    const auto last = std::upper_bound(recorded.begin(), recorded.end(), recorded[index - 1]);
    const auto last_index = static_cast<std::size_t>(last - recorded.begin());
    for (const Uuid& id : workflows) {
      CHECK(At(reader, id, position) == then[index][id]);
      CHECK(At(reader, id, recorded[index - 1]) == then[last_index][id]);
    }
  }
  const Uuid& any = workflows.front();
  CHECK(At(reader, any, recorded.front() - absl::Microseconds(1)) == "WORKFLOW_NOT_FOUND");
  CHECK(At(reader, any, absl::FromUnixSeconds(-62135596800)) == "WORKFLOW_NOT_FOUND");
  CHECK(At(reader, any, recorded.back() + absl::Hours(24 * 365)) == Now(reader, any));
  CHECK(At(reader, any, head + 1) == "POSITION_NOT_REACHED");
  CHECK(Now(reader, any).size() > 100);

  if (seed > 1) return;
  // Without its first two months the log tells the same of what is behind them.
  DropMonths(database, 2);
  for (std::int64_t position = 1; position <= head; ++position) {
    CAPTURE(position);
    const auto index = static_cast<std::size_t>(position);
    const auto last = std::upper_bound(recorded.begin(), recorded.end(), recorded[index - 1]);
    const auto last_index = static_cast<std::size_t>(last - recorded.begin());
    constexpr std::int64_t kLastDropped = 89;
    for (const Uuid& id : workflows) {
      CHECK(At(reader, id, position) == (position < kLastDropped ? "RETENTION" : then[index][id]));
      CHECK(At(reader, id, recorded[index - 1]) ==
            (position <= kLastDropped ? "RETENTION" : then[last_index][id]));
    }
  }
  const absl::Time end_of_april = absl::FromCivil(absl::CivilMonth(2026, 5), absl::UTCTimeZone());
  CHECK(At(reader, any, end_of_april) == then[89][any]);
  CHECK(At(reader, any, end_of_april - absl::Microseconds(1)) == "RETENTION");
}

TEST_CASE("a workflow that takes many steps to fold is folded whole") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  const std::string of = StrCat("{", Quoted("workflow_id", workflow), "}");
  const event::Envelope parent = MakeEnvelope("a.parent", of);
  std::vector<event::Envelope> first;
  for (int i = 0; i < 1500; ++i) {
    first.push_back(MakeEnvelope("a.child", "{}", {parent.id}));
    if (i % 3 == 0) first.push_back(MakeEnvelope("a.member", of));
  }
  REQUIRE(AppendAll(*connection, first).ok());
  REQUIRE(AppendAll(*connection, {parent}).ok());
  // Hand-offs whose payloads fill more than one step.
  std::mt19937 random(3);
  for (int i = 0; i < 8; ++i) {
    std::string text(300'000, 'x');
    for (char& c : text) c = static_cast<char>('a' + random() % 26);
    REQUIRE(AppendAll(*connection, {MakeEnvelope("bmad.workflow.handoff.requested",
                                                 StrCat("{", Quoted("workflow_id", workflow),
                                                        ",\"to_agent\":\"l-", i, "\",\"task\":\"",
                                                        text, "\"}"))})
                .ok());
  }
  Reader reader({.database = database.Reader(), .connections = 1});
  Projecting projecting(database);
  projecting.CatchUp();
  const std::int64_t late = static_cast<std::int64_t>(first.size()) + 1;
  CHECK(At(reader, workflow, late + 8) == Now(reader, workflow));

  const auto version = [&](std::int64_t position) {
    Workflow state;
    REQUIRE(
        WorkflowHistory(reader).Get({.workflow = workflow, .at_position = position}, state).ok());
    return state.version();
  };
  CHECK(version(late - 1) == 500);
  CHECK(version(late) == 2001);
  CHECK(version(late + 3) == 2004);

  // The same work, given up.
  Reader hurried(
      {.database = database.Reader(), .connections = 1, .query_timeout = absl::Microseconds(1)});
  CHECK(At(hurried, workflow, late) == "QUERY_TOO_SLOW");
}

TEST_CASE("an event that can't be folded fails the states after it, and no earlier one") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  const std::string of = StrCat("{", Quoted("workflow_id", workflow));
  REQUIRE(AppendAll(*connection,
                    {MakeEnvelope("a.note", of + "}"),
                     MakeEnvelope("bmad.workflow.started",
                                  StrCat(of, ",\"phase\":\"", std::string(60, 'x'), "\"}"))})
              .ok());
  Reader reader({.database = database.Reader(), .connections = 1});
  // Late members are known only when the projector has passed.
  CHECK(At(reader, workflow, 1) == "POSITION_NOT_REACHED");
  Projecting projecting(database);
  projecting.CatchUp();
  Workflow first;
  REQUIRE(WorkflowHistory(reader).Get({.workflow = workflow, .at_position = 1}, first).ok());
  CHECK(first.version() == 1);
  CHECK(At(reader, workflow, 2) == "FOLD_FAILED");
  CHECK(At(reader, NewId(), 2) == "WORKFLOW_NOT_FOUND");
}

TEST_CASE("a state can be asked for at a position or at a time, not at both") {
  store::v1::GetWorkflowStateRequest request;
  CHECK(FieldOf(ReadQuery(request).status()) == "workflow_id");
  request.set_workflow_id(NewId().ToString());
  REQUIRE(ReadQuery(request).ok());
  CHECK(ReadQuery(request)->now());
  request.mutable_at_time()->set_nanos(1999);
  CHECK(ReadQuery(request)->at_time == absl::UnixEpoch() + absl::Microseconds(1));
  request.set_at_position(1);
  CHECK(FieldOf(ReadQuery(request).status()) == "at_time");
  request.clear_at_time();
  CHECK(ReadQuery(request)->at_position == 1);
  request.set_at_position(0);
  CHECK(FieldOf(ReadQuery(request).status()) == "at_position");
  request.clear_at_position();
  request.mutable_at_time()->set_nanos(-1);
  CHECK(FieldOf(ReadQuery(request).status()) == "at_time");
  request.clear_at_time();
  request.set_min_position(-1);
  CHECK(FieldOf(ReadQuery(request).status()) == "min_position");
}

TEST_CASE("a timeline holds the workflow's members, late ones too, page by page in both orders") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  const event::Envelope parent =
      MakeEnvelope("bmad.workflow.started",
                   StrCat("{", Quoted("workflow_id", workflow), ",\"project_name\":\"shop\"}"));
  std::vector<event::Envelope> events;
  for (int i = 0; i < 20; ++i) {
    events.push_back(MakeEnvelope("a.child", StrCat("{\"agent_id\":\"x\",\"title\":\"t", i, "\"}"),
                                  {parent.id}));
    events.push_back(MakeEnvelope("a.stranger"));
  }
  events.push_back(parent);
  REQUIRE(AppendAll(*connection, events).ok());
  Projecting projecting(database);
  projecting.CatchUp();

  Reader reader({.database = database.Reader(), .connections = 1});
  EventStore store(reader);
  store::v1::GetWorkflowTimelineRequest request;
  request.set_workflow_id(workflow.ToString());
  request.set_limit(6);
  const auto read = [&] {
    std::vector<store::v1::TimelineEntry> entries;
    request.clear_page_token();
    do {
      const auto query = ReadQuery(request);
      REQUIRE(query.ok());
      const auto page = store.List(*query);
      REQUIRE(page.ok());
      store::v1::GetWorkflowTimelineResponse answer;
      ToProto(*query, *page, answer);
      CHECK(answer.workflow_id() == workflow.ToString());
      CHECK(answer.position() == 41);
      entries.insert(entries.end(), answer.timeline().begin(), answer.timeline().end());
      request.set_page_token(answer.next_page_token());
    } while (!request.page_token().empty());
    return entries;
  };
  const auto up = read();
  REQUIRE(up.size() == 21);
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(up[i].position() == static_cast<std::int64_t>(2 * i + 1));
    CHECK(up[i].event_id() == events[2 * i].id.ToString());
    CHECK(up[i].agent() == "x");
    CHECK(up[i].summary() == StrCat("A child: t", i));
  }
  CHECK(up[20].summary() == "Workflow initiated for project shop");
  request.set_order("desc");
  const auto down = read();
  REQUIRE(down.size() == 21);
  for (std::size_t i = 0; i < 21; ++i) CHECK(down[i].position() == up[20 - i].position());

  request.set_workflow_id("x");
  CHECK(FieldOf(ReadQuery(request).status()) == "workflow_id");
}

}  // namespace
}  // namespace god33::api
