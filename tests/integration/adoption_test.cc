#include "services/event-store-manager/adoption.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

#include "testing/servers.h"
#include "tests/integration/events.h"

namespace god33::manager {
namespace {

using testing::AppendAll;
using testing::MakeEnvelope;
using testing::NewId;
using testing::TestDatabase;

constexpr std::int64_t kAll = 1'000'000'000;

void AdoptAll(pg::Connection& connection) {
  for (;;) {
    const auto step = AdoptStep(connection, kAll);
    REQUIRE(step.ok());
    if (!*step) return;
  }
}

std::map<std::int64_t, std::set<Uuid>> Memberships(pg::Connection& connection) {
  constexpr pg::Statement kRead = {"read", "SELECT position, group_id FROM memberships"};
  const auto rows = connection.Query(kRead);
  REQUIRE(rows.ok());
  std::map<std::int64_t, std::set<Uuid>> memberships;
  for (int i = 0; i < rows->rows(); ++i) memberships[rows->Int8(i, 0)].insert(rows->Id(i, 1));
  return memberships;
}

std::int64_t Count(pg::Connection& connection, const char* sql) {
  const pg::Statement statement = {sql, sql};
  return connection.Query(statement)->Int8(0, 0);
}

TEST_CASE("children that came before their parent join its workflow, and so do their descendants") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  const event::Envelope parent =
      MakeEnvelope("a.parent", StrCat("{\"workflow_id\":\"", workflow.ToString(), "\"}"));
  const event::Envelope child = MakeEnvelope("a.child", "{}", {parent.id});
  const event::Envelope grandchild = MakeEnvelope("a.grandchild", "{}", {child.id});
  REQUIRE(AppendAll(*connection, {child}).ok());
  REQUIRE(AppendAll(*connection, {grandchild}).ok());
  REQUIRE(AppendAll(*connection, {parent}).ok());
  AdoptAll(*connection);
  const auto memberships = Memberships(*connection);
  for (const std::int64_t position : {1, 2, 3}) {
    CHECK(memberships.at(position) == std::set<Uuid>{workflow});
  }
  CHECK(Count(*connection, "SELECT count(*) FROM event_edges") == 2);
  CHECK(Count(*connection, "SELECT count(*) FROM event_orphans") == 0);
  CHECK(Count(*connection, "SELECT count(*) FROM late_parents") == 0);
  // They joined when the parent came.
  CHECK(Count(*connection, "SELECT count(*) FROM memberships WHERE since = 3") == 3);
}

TEST_CASE("an append after an adoption inherits what its parent has just joined") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  const event::Envelope parent =
      MakeEnvelope("a.parent", StrCat("{\"workflow_id\":\"", workflow.ToString(), "\"}"));
  const event::Envelope child = MakeEnvelope("a.child", "{}", {parent.id});
  REQUIRE(AppendAll(*connection, {child}).ok());
  REQUIRE(AppendAll(*connection, {parent}).ok());
  AdoptAll(*connection);
  REQUIRE(AppendAll(*connection, {MakeEnvelope("a.late", "{}", {child.id})}).ok());
  CHECK(Memberships(*connection).at(3) == std::set<Uuid>{workflow});
}

TEST_CASE("ids that cause one another end the walk all the same") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  event::Envelope a = MakeEnvelope("a.a");
  event::Envelope b = MakeEnvelope("a.b");
  event::Envelope c =
      MakeEnvelope("a.c", StrCat("{\"workflow_id\":\"", workflow.ToString(), "\"}"));
  a.parents = {b.id, c.id};
  b.parents = {a.id};
  c.parents = {b.id};
  REQUIRE(AppendAll(*connection, {a}).ok());
  REQUIRE(AppendAll(*connection, {b}).ok());
  REQUIRE(AppendAll(*connection, {c}).ok());
  AdoptAll(*connection);
  CHECK(Memberships(*connection).size() == 3);
}

TEST_CASE("a child with a workflow of its own joins no other") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid own = NewId();
  const event::Envelope parent =
      MakeEnvelope("a.parent", StrCat("{\"workflow_id\":\"", NewId().ToString(), "\"}"));
  REQUIRE(AppendAll(*connection,
                    {MakeEnvelope("a.child", StrCat("{\"workflow_id\":\"", own.ToString(), "\"}"),
                                  {parent.id})})
              .ok());
  REQUIRE(AppendAll(*connection, {parent}).ok());
  AdoptAll(*connection);
  CHECK(Memberships(*connection).at(1) == std::set<Uuid>{own});
}

TEST_CASE("descendants of a collaboration's start join it, those of a mere mention don't") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid collaboration = NewId();
  const std::string payload = StrCat("{\"collaboration_id\":\"", collaboration.ToString(), "\"}");
  const event::Envelope started = MakeEnvelope("agent.collaboration.started", payload);
  const event::Envelope mention = MakeEnvelope("a.mention", payload);
  REQUIRE(AppendAll(*connection, {started, mention, MakeEnvelope("a.b", "{}", {started.id}),
                                  MakeEnvelope("a.c", "{}", {mention.id})})
              .ok());
  const auto memberships = Memberships(*connection);
  CHECK(memberships.contains(1));
  CHECK(memberships.contains(2));
  CHECK(memberships.contains(3));
  CHECK_FALSE(memberships.contains(4));
}

TEST_CASE("more waiting children than one step takes are adopted in bounded steps") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const event::Envelope parent =
      MakeEnvelope("a.parent", StrCat("{\"workflow_id\":\"", NewId().ToString(), "\"}"));
  std::vector<event::Envelope> children;
  for (int i = 0; i < 1300; ++i) children.push_back(MakeEnvelope("a.child", "{}", {parent.id}));
  REQUIRE(AppendAll(*connection, children).ok());
  REQUIRE(AppendAll(*connection, {parent}).ok());
  int steps = 0;
  for (;; ++steps) {
    const auto step = AdoptStep(*connection, kAll);
    REQUIRE(step.ok());
    if (!*step) break;
    CHECK(**step <= 500);
  }
  CHECK(steps >= 3);
  CHECK(Memberships(*connection).size() == 1301);
}

// What the rules say without any regard to order: the payload's own workflow wins, otherwise the union
// of the parents'.
std::map<Uuid, std::set<Uuid>> Fixpoint(const std::vector<event::Envelope>& events,
                                        const std::map<Uuid, Uuid>& own) {
  std::map<Uuid, std::set<Uuid>> groups;
  for (const auto& [event, workflow] : own) groups[event] = {workflow};
  for (bool changed = true; changed;) {
    changed = false;
    for (const event::Envelope& event : events) {
      if (own.contains(event.id)) continue;
      for (const Uuid& parent : event.parents) {
        for (const Uuid& group : groups[parent]) changed |= groups[event.id].insert(group).second;
      }
    }
  }
  return groups;
}

TEST_CASE("in whatever order events arrive, they end up in the same groups") {
  const int seed = GENERATE(1, 2, 3, 4);
  std::mt19937 random(static_cast<unsigned>(seed));
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  std::vector<event::Envelope> events;
  std::map<Uuid, Uuid> own;
  std::vector<Uuid> workflows = {NewId(), NewId(), NewId()};
  for (int i = 0; i < 300; ++i) {
    event::Envelope event = MakeEnvelope("a.b");
    if (random() % 20 == 0) {
      own[event.id] = workflows[random() % workflows.size()];
      event.payload = StrCat("{\"workflow_id\":\"", own[event.id].ToString(), "\"}");
    }
    for (std::size_t p = random() % 3; p > 0 && !events.empty(); --p) {
      const Uuid& parent = events[random() % events.size()].id;
      if (std::find(event.parents.begin(), event.parents.end(), parent) == event.parents.end()) {
        event.parents.push_back(parent);
      }
    }
    events.push_back(event);
  }
  std::vector<event::Envelope> arrival = events;
  std::shuffle(arrival.begin(), arrival.end(), random);
  std::map<std::int64_t, Uuid> id_of;
  for (std::size_t i = 0; i < arrival.size();) {
    const std::size_t size = std::min<std::size_t>(1 + random() % 40, arrival.size() - i);
    const std::vector<event::Envelope> batch(
        arrival.begin() + static_cast<std::ptrdiff_t>(i),
        arrival.begin() + static_cast<std::ptrdiff_t>(i + size));
    REQUIRE(AppendAll(*connection, batch).ok());
    i += size;
    if (random() % 3 == 0) REQUIRE(AdoptStep(*connection, kAll).ok());
  }
  AdoptAll(*connection);
  for (std::size_t i = 0; i < arrival.size(); ++i) {
    id_of[static_cast<std::int64_t>(i + 1)] = arrival[i].id;
  }
  std::map<Uuid, std::set<Uuid>> found;
  for (const auto& [position, groups] : Memberships(*connection)) found[id_of[position]] = groups;
  std::map<Uuid, std::set<Uuid>> expected = Fixpoint(events, own);
  std::erase_if(expected, [](const auto& entry) { return entry.second.empty(); });
  CHECK(found == expected);
  CHECK(Count(*connection, "SELECT count(*) FROM event_orphans") == 0);
}

}  // namespace
}  // namespace god33::manager
