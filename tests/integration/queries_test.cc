#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "base/error.h"
#include "services/event-store-api/event_store.h"
#include "testing/servers.h"
#include "tests/integration/events.h"

namespace god33::api {
namespace {

using testing::AppendAll;
using testing::MakeEnvelope;
using testing::NewId;
using testing::TestDatabase;

// What the oracle needs to know of a stored event.
struct Plain {
  std::int64_t position;
  event::Envelope envelope;
  event::Facts facts;
};

const std::vector<std::string> kTypes = {"bmad.workflow.started",
                                         "agent.letta.task.completed",
                                         "agent.letta.checkpoint.saved",
                                         "agent.handoff.accepted",
                                         "director.x",
                                         "a.b.c.d"};

// A log in which all filters find something, spread over four months.
class RandomLog {
 public:
  explicit RandomLog(TestDatabase& database) : random_(7) {
    const auto connection = TestDatabase::Connect(database.Writer());
    for (int i = 0; i < 5; ++i) {
      workflows.push_back(NewId());
      sessions.push_back(NewId());
      collaborations.push_back(NewId());
    }
    for (int batch = 0; batch < 12; ++batch) {
      std::vector<event::Envelope> envelopes;
      for (int i = 0; i < 50; ++i) envelopes.push_back(Random());
      REQUIRE(AppendAll(*connection, envelopes).ok());
      for (const event::Envelope& envelope : envelopes) {
        events.push_back(
            {static_cast<std::int64_t>(events.size() + 1), envelope, event::FactsOf(envelope)});
      }
    }
    SpreadOverMonths(database);
  }

  std::vector<Plain> events;
  std::vector<Uuid> workflows, sessions, collaborations;

 private:
  event::Envelope Random() {
    std::string payload = StrCat("{\"agent_id\":\"agent-", random_() % 4, "\"");
    const auto maybe = [&](const char* key, const std::vector<Uuid>& ids) {
      if (random_() % 3 == 0) {
        StrAppend(&payload, ",\"", key, "\":\"", ids[random_() % ids.size()].ToString(), "\"");
      }
    };
    maybe("workflow_id", workflows);
    maybe("session_id", sessions);
    maybe("collaboration_id", collaborations);
    payload.push_back('}');
    event::Envelope envelope = MakeEnvelope(kTypes[random_() % kTypes.size()], payload);
    // Producers' clocks lie.
    envelope.time = absl::FromUnixSeconds(1'700'000'000 + static_cast<int>(random_() % 100'000));
    if (!events.empty() && random_() % 2 == 0) {
      envelope.parents.push_back(events[random_() % events.size()].envelope.id);
    }
    return envelope;
  }

  // As if the log had been written over four months; only its owner can make it look so.
  void SpreadOverMonths(TestDatabase& database) {
    REQUIRE(TestDatabase::Connect(database.Admin())
                ->Execute(R"sql(
      DO $$ BEGIN FOR i IN 1..3 LOOP
        PERFORM ensure_event_partition(now() - make_interval(months => i));
      END LOOP; END $$;
      UPDATE events SET recorded_at = recorded_at - make_interval(months => 3 - ((position - 1) / 150)::int);
      TRUNCATE log_months;
      INSERT INTO log_months SELECT date_trunc('month', recorded_at, 'UTC'), min(position)
        FROM events GROUP BY 1;)sql")
                .ok());
  }

  std::mt19937 random_;
};

bool IsDescendant(const std::vector<Plain>& events, const Plain& event,
                  const std::function<bool(const Plain&)>& is_root) {
  for (const Uuid& parent : event.envelope.parents) {
    for (const Plain& candidate : events) {
      if (candidate.envelope.id != parent) continue;
      if (is_root(candidate) || IsDescendant(events, candidate, is_root)) return true;
    }
  }
  return false;
}

// The workflows of an event: its own, else its parents'.
std::set<Uuid> WorkflowsOf(const std::vector<Plain>& events, const Plain& event) {
  if (event.facts.workflow_id) return {*event.facts.workflow_id};
  std::set<Uuid> workflows;
  for (const Uuid& parent : event.envelope.parents) {
    for (const Plain& candidate : events) {
      if (candidate.envelope.id == parent) workflows.merge(WorkflowsOf(events, candidate));
    }
  }
  return workflows;
}

bool Matches(const std::vector<Plain>& events, const EventFilter& filter, const Plain& event) {
  if (filter.workflow && !WorkflowsOf(events, event).contains(*filter.workflow)) return false;
  if (filter.collaboration && event.facts.collaboration_id != filter.collaboration) return false;
  if (filter.session && event.facts.session_id != filter.session) return false;
  if (!filter.agent.empty() && event.facts.agent_id != filter.agent) return false;
  if (filter.correlation) {
    const auto& parents = event.envelope.parents;
    if (std::find(parents.begin(), parents.end(), *filter.correlation) == parents.end())
      return false;
  }
  if (!filter.types.empty() && std::none_of(filter.types.begin(), filter.types.end(),
                                            [&event](const event::TypePattern& type) {
                                              return type.Matches(event.envelope.type);
                                            })) {
    return false;
  }
  if (filter.start && event.envelope.time < *filter.start) return false;
  return !filter.end || event.envelope.time < *filter.end;
}

EventFilter RandomFilter(const RandomLog& log, std::mt19937& random) {
  EventFilter filter;
  const auto some = [&random] { return random() % 4 == 0; };
  if (some()) filter.workflow = log.workflows[random() % log.workflows.size()];
  if (some()) filter.session = log.sessions[random() % log.sessions.size()];
  if (some()) filter.collaboration = log.collaborations[random() % log.collaborations.size()];
  if (some()) filter.agent = StrCat("agent-", random() % 4);
  if (some()) filter.correlation = log.events[random() % log.events.size()].envelope.id;
  const std::vector<std::string> patterns = {"agent.*",    "agent.letta.*", "*.b.c.d",
                                             "director.x", "agent.*.*",     "*.workflow.started",
                                             "*",          "none.such"};
  while (some()) {
    filter.types.push_back(*event::TypePattern::Parse(patterns[random() % patterns.size()]));
  }
  if (some())
    filter.start = absl::FromUnixSeconds(1'700'000'000 + static_cast<int>(random() % 100'000));
  if (some())
    filter.end = absl::FromUnixSeconds(1'700'000'000 + static_cast<int>(random() % 100'000));
  return filter;
}

// Reads all pages.
std::vector<std::int64_t> ReadAll(EventStore& store, EventQuery query, std::int64_t& total) {
  std::vector<std::int64_t> positions;
  for (;;) {
    const auto page = store.List(query);
    REQUIRE(page.ok());
    if (query.page_token.empty()) {
      CHECK(page->total_exact);
      total = page->total;
    }
    CHECK(page->total == total);
    CHECK(page->events.size() <= static_cast<std::size_t>(query.limit));
    for (const eventlog::StoredEvent& event : page->events) positions.push_back(event.position);
    if (page->next_page_token.empty()) return positions;
    REQUIRE_FALSE(page->events.empty());
    query.page_token = page->next_page_token;
  }
}

TEST_CASE("every combination of filters finds what a plain scan finds, in both directions") {
  TestDatabase database;
  const RandomLog log(database);
  Reader reader({.database = database.Reader(), .connections = 2});
  EventStore store(reader);
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    EventQuery query{.filter = RandomFilter(log, random)};
    query.limit = 1 + static_cast<int>(random() % 120);
    query.descending = random() % 2 == 0;
    std::vector<std::int64_t> expected;
    for (const Plain& event : log.events) {
      if (Matches(log.events, query.filter, event)) expected.push_back(event.position);
    }
    if (query.descending) std::reverse(expected.begin(), expected.end());
    std::int64_t total = 0;
    CHECK(ReadAll(store, query, total) == expected);
    CHECK(total == static_cast<std::int64_t>(expected.size()));

    // The same by offset.
    query.offset = static_cast<std::int64_t>(random() % 50);
    const auto page = store.List(query);
    REQUIRE(page.ok());
    std::vector<std::int64_t> skipped;
    for (const eventlog::StoredEvent& event : page->events) skipped.push_back(event.position);
    const std::size_t from = std::min(expected.size(), static_cast<std::size_t>(query.offset));
    const std::size_t to = std::min(expected.size(), from + static_cast<std::size_t>(query.limit));
    CHECK(skipped == std::vector<std::int64_t>(expected.begin() + static_cast<std::ptrdiff_t>(from),
                                               expected.begin() + static_cast<std::ptrdiff_t>(to)));
  }
}

TEST_CASE("pages read while others write miss nothing and show nothing twice") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  Reader reader({.database = database.Reader(), .connections = 1});
  EventStore store(reader);
  std::vector<std::int64_t> seen;
  EventQuery query{.limit = 7};
  for (int round = 0; round < 40; ++round) {
    if (round < 20) {
      REQUIRE(
          AppendAll(*connection, {MakeEnvelope("a.b"), MakeEnvelope("a.c"), MakeEnvelope("a.d")})
              .ok());
    }
    const auto page = store.List(query);
    REQUIRE(page.ok());
    for (const eventlog::StoredEvent& event : page->events) seen.push_back(event.position);
    if (page->next_page_token.empty() && round >= 20) break;
    if (!page->next_page_token.empty()) {
      query.page_token = page->next_page_token;
    } else {
      seen.resize(seen.size() -
                  page->events.size());  // the last page is read again, from its start
    }
  }
  REQUIRE(seen.size() == 60);
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == static_cast<std::int64_t>(i + 1));
}

TEST_CASE("a page of large events ends early and goes on by its token") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  std::mt19937 random(1);
  for (int i = 0; i < 8; ++i) {
    std::string text(1 << 20, 'x');
    for (char& c : text) c = static_cast<char>('a' + random() % 26);
    REQUIRE(
        AppendAll(*connection, {MakeEnvelope("a.large", StrCat("{\"t\":\"", text, "\"}"))}).ok());
  }
  Reader reader({.database = database.Reader(), .connections = 1});
  EventStore store(reader);
  const auto page = store.List({.limit = 100});
  REQUIRE(page.ok());
  CHECK(page->events.size() < 8);
  CHECK(page->total == 8);
  std::int64_t total = 0;
  CHECK(ReadAll(store, {.limit = 100}, total) == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("a page token is tied to its filters, its order and its log") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  REQUIRE(
      AppendAll(*connection, {MakeEnvelope("a.b"), MakeEnvelope("a.b"), MakeEnvelope("a.b")}).ok());
  Reader reader({.database = database.Reader(), .connections = 1});
  EventStore store(reader);
  EventQuery query{.limit = 1};
  query.page_token = store.List(query)->next_page_token;
  REQUIRE(store.List(query).ok());
  EventQuery other = query;
  other.filter.agent = "x";
  CHECK(FieldOf(store.List(other).status()) == "page_token");
  other = query;
  other.descending = true;
  CHECK(FieldOf(store.List(other).status()) == "page_token");
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute("UPDATE log_identity SET log_id = gen_random_uuid()")
              .ok());
  CHECK(ReasonOf(store.List(query).status()) == "LOG_CHANGED");
}

TEST_CASE("a reader who waits for a position that does not come is told so") {
  TestDatabase database;
  Reader reader({.database = database.Reader(), .connections = 1});
  EventStore store(reader);
  CHECK(ReasonOf(store.List({.min_position = 5}).status()) == "POSITION_NOT_REACHED");
}

TEST_CASE("a query that takes too long is given up with what to do") {
  TestDatabase database;
  Reader reader(
      {.database = database.Reader(), .connections = 1, .query_timeout = absl::Milliseconds(50)});
  const absl::Status status = reader.Run(
      [](pg::Connection& connection) { return connection.Execute("SELECT pg_sleep(10)"); });
  CHECK(ReasonOf(status) == "QUERY_TOO_SLOW");
}

TEST_CASE("a reader survives the end of its idle connections") {
  TestDatabase database;
  Reader reader({.database = database.Reader(), .connections = 2});
  EventStore store(reader);
  REQUIRE(store.List({}).ok());
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                        "WHERE usename = 'god33_reader' AND datname = current_database()")
              .ok());
  CHECK(store.List({}).ok());
}

}  // namespace
}  // namespace god33::api
