#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "base/error.h"
#include "services/event-store-api/session_store.h"
#include "testing/servers.h"
#include "tests/integration/events.h"
#include "tests/integration/projecting.h"

namespace god33::api {
namespace {

using store::v1::AgentSession;
using store::v1::ListSessionsRequest;
using store::v1::ListSessionsResponse;
using testing::AppendAll;
using testing::MakeEnvelope;
using testing::NewId;
using testing::Projecting;
using testing::TestDatabase;

std::string Quoted(const char* key, const Uuid& id) {
  return StrCat("\"", key, "\":\"", id.ToString(), "\"");
}

// What the oracle needs to know of a session.
struct Plain {
  Uuid id;
  std::string type;
  std::string agent;
  std::string status;
  Uuid workflow;
  absl::Time active;
};

// Sessions of a few agents, several of which were active last at the same time.
std::vector<Plain> MakeSessions(const TestDatabase& database) {
  const auto connection = TestDatabase::Connect(database.Writer());
  std::mt19937 random(5);
  const std::vector<Uuid> workflows = {NewId(), NewId()};
  const std::vector<std::pair<std::string, std::string>> ends = {
      {"active", "agent.letta.session.resumed"},
      {"paused", "agent.letta.session.paused"},
      {"failed", "agent.letta.session.failed"},
      {"completed", "agent.letta.task.completed"}};
  std::vector<Plain> sessions;
  std::vector<event::Envelope> events;
  for (int i = 0; i < 60; ++i) {
    const auto& [status, end] = ends[random() % ends.size()];
    Plain session{.id = NewId(),
                  .type = StrCat("letta-", random() % 3),
                  .agent = StrCat("agent-", random() % 4),
                  .status = status,
                  .workflow = workflows[random() % 2],
                  .active = absl::FromUnixSeconds(1'700'000'000 + static_cast<int>(random() % 20))};
    event::Envelope event = MakeEnvelope(
        end, StrCat("{", Quoted("session_id", session.id), ",\"agent_instance_id\":\"",
                    session.agent, "\",", Quoted("workflow_id", session.workflow), "}"));
    event.agent_context = event::AgentContext{.type = session.type};
    event.time = session.active;
    events.push_back(event);
    sessions.push_back(session);
  }
  REQUIRE(AppendAll(*connection, events).ok());
  Projecting(database).CatchUp();
  std::sort(sessions.begin(), sessions.end(), [](const Plain& a, const Plain& b) {
    return a.active != b.active ? a.active > b.active : a.id < b.id;
  });
  return sessions;
}

std::vector<std::string> ReadAll(SessionStore& store, ListSessionsRequest request) {
  std::vector<std::string> ids;
  for (;;) {
    const auto query = ReadQuery(request);
    REQUIRE(query.ok());
    ListSessionsResponse page;
    REQUIRE(store.List(*query, page).ok());
    CHECK(page.sessions_size() <= request.limit());
    for (const AgentSession& session : page.sessions()) ids.push_back(session.session_id());
    if (page.next_page_token().empty()) return ids;
    request.set_page_token(page.next_page_token());
  }
}

TEST_CASE("every combination of filters finds the sessions that a plain scan finds, in order") {
  TestDatabase database;
  const std::vector<Plain> sessions = MakeSessions(database);
  Reader reader({.database = database.Reader(), .connections = 1});
  SessionStore store(reader);
  std::mt19937 random(9);
  for (int round = 0; round < 100; ++round) {
    const Plain& some = sessions[random() % sessions.size()];
    ListSessionsRequest request;
    request.set_limit(1 + static_cast<int>(random() % 25));
    if (random() % 3 == 0) request.set_agent_type(some.type);
    if (random() % 3 == 0) request.set_agent_id(some.agent);
    if (random() % 3 == 0) request.set_status(some.status);
    if (random() % 3 == 0) request.set_workflow_id(some.workflow.ToString());
    std::vector<std::string> expected;
    for (const Plain& session : sessions) {
      if (request.has_agent_type() && session.type != some.type) continue;
      if (request.has_agent_id() && session.agent != some.agent) continue;
      if (request.has_status() && session.status != some.status) continue;
      if (request.has_workflow_id() && session.workflow != some.workflow) continue;
      expected.push_back(session.id.ToString());
    }
    CHECK(ReadAll(store, request) == expected);
  }
}

TEST_CASE("a session is found by its id, or by its agent's as the one that was active last") {
  TestDatabase database;
  const std::vector<Plain> sessions = MakeSessions(database);
  Reader reader({.database = database.Reader(), .connections = 1});
  SessionStore store(reader);
  AgentSession session;
  for (const Plain& each : sessions) {
    REQUIRE(store.Get(each.id.ToString(), 0, session).ok());
    CHECK(session.session_id() == each.id.ToString());
    CHECK(session.status() == each.status);
    CHECK(session.workflow_id() == each.workflow.ToString());
  }
  for (const std::string agent : {"agent-0", "agent-1", "agent-2", "agent-3"}) {
    const auto newest = std::find_if(sessions.begin(), sessions.end(),
                                     [&](const Plain& each) { return each.agent == agent; });
    CHECK(store.Find(agent, 0).value() == newest->id);
  }
  CHECK(ReasonOf(store.Get("agent-9", 0, session).status()) == "SESSION_NOT_FOUND");
  CHECK(ReasonOf(store.Get(NewId().ToString(), 0, session).status()) == "SESSION_NOT_FOUND");
  CHECK(FieldOf(store.Get("", 0, session).status()) == "session_id");
  CHECK(FieldOf(store.Get(std::string(256, 'x'), 0, session).status()) == "session_id");
  CHECK(ReasonOf(store.Get("agent-0", 1000, session).status()) == "POSITION_NOT_REACHED");
}

TEST_CASE("an agent whose id is a UUID is found by it") {
  TestDatabase database;
  const Uuid agent = NewId();
  const Uuid session = NewId();
  REQUIRE(AppendAll(*TestDatabase::Connect(database.Writer()),
                    {MakeEnvelope("agent.letta.session.resumed",
                                  StrCat("{", Quoted("session_id", session), ",",
                                         Quoted("agent_instance_id", agent), "}"))})
              .ok());
  Projecting(database).CatchUp();
  Reader reader({.database = database.Reader(), .connections = 1});
  CHECK(SessionStore(reader).Find(agent.ToString(), 0).value() == session);
}

TEST_CASE("checkpoints are those of the session, newest first, with what was saved") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid session = NewId();
  std::vector<event::Envelope> events;
  for (int i = 0; i < 25; ++i) {
    events.push_back(MakeEnvelope(
        "agent.letta.checkpoint.saved",
        StrCat("{", Quoted("session_id", i % 5 == 0 ? NewId() : session), ",\"checkpoint_id\":\"c",
               i, "\",\"checkpoint_type\":\"progress\",\"summary\":\"s\",",
               "\"context_snapshot\":{\"n\":12345678901234567890123},\"metrics\":null}")));
    events.push_back(
        MakeEnvelope("agent.letta.note", StrCat("{", Quoted("session_id", session), "}")));
  }
  REQUIRE(AppendAll(*connection, events).ok());
  Reader reader({.database = database.Reader(), .connections = 1});
  EventStore store(reader);
  EventQuery query = CheckpointsOf(session);
  query.limit = 7;
  std::vector<std::string> ids;
  for (;;) {
    const auto page = store.List(query);
    REQUIRE(page.ok());
    for (const eventlog::StoredEvent& event : page->events) {
      store::v1::Checkpoint checkpoint;
      ToProto(event, checkpoint);
      ids.push_back(checkpoint.checkpoint_id());
      CHECK(checkpoint.checkpoint_type() == "progress");
      CHECK(checkpoint.context_snapshot().text() == R"({"n":12345678901234567890123})");
      CHECK_FALSE(checkpoint.has_metrics());
      CHECK(checkpoint.event_id() == event.envelope.id.ToString());
    }
    query.page_token = page->next_page_token;
    if (query.page_token.empty()) break;
  }
  std::vector<std::string> expected;
  for (int i = 24; i >= 0; --i) {
    if (i % 5 != 0) expected.push_back(StrCat("c", i));
  }
  CHECK(ids == expected);
}

TEST_CASE("a question about sessions that is not understood is refused by its field") {
  const auto field = [](auto change) {
    ListSessionsRequest request;
    change(request);
    return FieldOf(ReadQuery(request).status());
  };
  CHECK(field([](auto& request) { request.set_status("done"); }) == "status");
  CHECK(field([](auto& request) { request.set_status(""); }) == "status");
  CHECK(field([](auto& request) { request.set_agent_type(""); }) == "agent_type");
  CHECK(field([](auto& request) { request.set_agent_id(""); }) == "agent_id");
  CHECK(field([](auto& request) { request.set_workflow_id("x"); }) == "workflow_id");
  CHECK(field([](auto& request) { request.set_limit(0); }) == "limit");
  CHECK(field([](auto& request) { request.set_min_position(-1); }) == "min_position");

  TestDatabase database;
  MakeSessions(database);
  Reader reader({.database = database.Reader(), .connections = 1});
  SessionStore store(reader);
  ListSessionsResponse page;
  REQUIRE(store.List({.limit = 5}, page).ok());
  const std::string token = page.next_page_token();
  REQUIRE_FALSE(token.empty());
  CHECK(store.List({.page_token = token}, page).ok());
  CHECK(FieldOf(store.List({.status = "active", .page_token = token}, page)) == "page_token");
  CHECK(FieldOf(store.List({.page_token = "x"}, page)) == "page_token");
}

}  // namespace
}  // namespace god33::api
