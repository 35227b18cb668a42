#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "base/clock.h"
#include "base/error.h"
#include "json/value.h"
#include "services/event-store-api/causation_store.h"
#include "testing/random.h"
#include "testing/servers.h"
#include "tests/integration/events.h"

namespace god33::api {
namespace {

using store::v1::GetAncestorsResponse;
using store::v1::GetDescendantsResponse;
using testing::AppendAll;
using testing::MakeEnvelope;
using testing::NewId;
using testing::Random;
using testing::TestDatabase;

// The id of the event at a position of a log that WriteLog has written.
Uuid IdAt(std::int64_t position) {
  Uuid id;
  for (int i = 0; i < 8; ++i) id.bytes[15 - i] = static_cast<std::uint8_t>(position >> (8 * i));
  return id;
}

// Writes `count` events at positions from 1 on as only the owner of the log can: by one statement, which
// takes seconds where appends would take minutes. `parents` is SQL: the positions, as bigint[], of the
// parents of the event at position n.
void WriteLog(TestDatabase& database, int count, const std::string& parents) {
  const auto connection = TestDatabase::Connect(database.Admin());
  REQUIRE(connection
              ->Execute(StrCat(R"sql(
    SELECT ensure_event_partition(now());
    INSERT INTO log_months VALUES (date_trunc('month', now(), 'UTC'), 1);
    CREATE FUNCTION test_id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
      $$ SELECT lpad(to_hex(n), 32, '0')::uuid $$;
    CREATE TEMPORARY TABLE new AS
      SELECT n, array(SELECT p FROM unnest()sql",
                               parents, R"sql() AS p WHERE p IS NOT NULL) AS parents
      FROM generate_series(1::bigint, )sql",
                               count, R"sql() AS n;
    INSERT INTO event_ids SELECT test_id(n), n, test_id(n) FROM new;
    INSERT INTO events (event_id, event_type, "timestamp", version, source, correlation_ids, payload,
                        position, recorded_at, appended)
      SELECT test_id(n), 'test.made', now(), '1.0.0', '{"host":"h","type":"service"}',
        array(SELECT test_id(p) FROM unnest(parents) AS p), '{}', n, now(), true FROM new;
    INSERT INTO event_edges SELECT p, n FROM new, unnest(parents) AS p;
    DROP TABLE new;
    DROP FUNCTION test_id;
    ANALYZE event_edges, event_ids, events)sql"))
              .ok());
}

struct Stores {
  explicit Stores(TestDatabase& database, absl::Duration timeout = absl::Seconds(5))
      : reader({.database = database.Reader(), .connections = 2, .query_timeout = timeout}),
        store(reader) {}

  GetDescendantsResponse Descendants(const CausationQuery& query) {
    GetDescendantsResponse response;
    const absl::Status status = store.Descendants(query, response);
    INFO(status);
    REQUIRE(status.ok());
    return response;
  }

  GetAncestorsResponse Ancestors(CausationQuery query) {
    query.direction = Direction::kAncestors;
    GetAncestorsResponse response;
    const absl::Status status = store.Ancestors(query, response);
    INFO(status);
    REQUIRE(status.ok());
    return response;
  }

  absl::Status Error(const CausationQuery& query) {
    GetDescendantsResponse response;
    return store.Descendants(query, response);
  }

  Reader reader;
  CausationStore store;
};

// How long `work` takes, in milliseconds: the best of three, since the machine does other things, too.
template <typename Work>
double Milliseconds(const Work& work) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const std::int64_t started = MonotonicNanos();
    work();
    best = std::min(best, static_cast<double>(MonotonicNanos() - started) / 1e6);
  }
  return best;
}

TEST_CASE("the descendants of 111,111 events are found at once, and read page by page") {
  TestDatabase database;
  constexpr int kEvents = 111'111;  // each has ten children, on five levels below the root
  WriteLog(database, kEvents, "ARRAY[CASE WHEN n > 1 THEN (n + 8) / 10 END]");
  Stores stores(database);
  const CausationQuery query{.event_id = IdAt(1), .limit = 1000};
  const auto first = stores.Descendants(query).flat();
  CHECK(first.total_descendants() == kEvents - 1);
  CHECK_FALSE(first.truncated());
  CHECK(first.root_event().event_id() == IdAt(1).ToString());
  CHECK(first.position() == kEvents);
  CHECK(first.descendants_size() == 1000);
  CHECK(first.descendants(0).path_size() == 2);
  CHECK(first.descendants(999).depth() == 3);
  CHECK(first.descendants(999).parent_id() == IdAt((1001 + 8) / 10).ToString());

  const double walk = Milliseconds([&] {
    const auto reach = [&]() -> absl::StatusOr<Reach> {
      absl::StatusOr<Reach> found = absl::UnknownError("");
      const absl::Status status = stores.reader.Run([&](pg::Connection& connection) {
        found = WalkLog(stores.reader, connection, {.root = 1, .max_depth = 100, .head = kEvents});
        return found.status();
      });
      return found;
    }();
    REQUIRE(reach.ok());
    CHECK(reach->walk.nodes().size() == kEvents);
    CHECK(reach->walk.depth() == 5);
  });
  // What is nearby is found without reading the whole reach.
  const double near = Milliseconds([&] {
    REQUIRE(stores.reader
                .Run([&](pg::Connection& connection) {
                  const auto reach = WalkLog(stores.reader, connection,
                                             {.root = 1, .max_depth = 2, .head = kEvents});
                  CHECK(reach->walk.nodes().size() == 111);
                  CHECK(reach->walk.steps() == 110);
                  return reach.status();
                })
                .ok());
  });
  WARN("descendants of 111,111 events: " << walk << " ms; two levels of them: " << near << " ms");
  CHECK(walk < 1500);
  CHECK(near < walk);

  std::vector<std::int64_t> positions;
  CausationQuery page = query;
  for (;;) {
    const auto flat = stores.Descendants(page).flat();
    CHECK(flat.total_descendants() == kEvents - 1);
    for (const auto& related : flat.descendants()) positions.push_back(related.event().position());
    if (flat.next_page_token().empty()) break;
    page.page_token = flat.next_page_token();
  }
  REQUIRE(positions.size() == kEvents - 1);
  // Levels lie behind each other in this log.
  for (std::size_t i = 0; i < positions.size(); ++i) {
    REQUIRE(positions[i] == static_cast<std::int64_t>(i) + 2);
  }

  const auto up = stores.Ancestors({.event_id = IdAt(kEvents)}).flat();
  CHECK(up.total_ancestors() == 5);
  CHECK(up.ancestors(4).event().event_id() == IdAt(1).ToString());
  CHECK(up.ancestors(4).path_size() == 6);
}

TEST_CASE("a chain of 10,000 is walked to its end, up and down") {
  TestDatabase database;
  constexpr int kEvents = 10'001;
  WriteLog(database, kEvents, "ARRAY[CASE WHEN n > 1 THEN n - 1 END]");
  Stores stores(database);
  const std::int64_t started = MonotonicNanos();
  const auto down =
      stores.Descendants({.event_id = IdAt(1), .max_depth = 10'000, .limit = 1000}).flat();
  const double took = static_cast<double>(MonotonicNanos() - started) / 1e6;
  const std::int64_t again = MonotonicNanos();
  const auto up =
      stores.Ancestors({.event_id = IdAt(kEvents), .max_depth = 10'000, .limit = 1000}).flat();
  WARN("chain of 10,000: descendants " << took << " ms, ancestors "
                                       << static_cast<double>(MonotonicNanos() - again) / 1e6
                                       << " ms");
  CHECK(down.total_descendants() == 10'000);
  CHECK(up.total_ancestors() == 10'000);
  CHECK(took < 5000);
  CHECK(down.descendants(99).depth() == 100);
  CHECK(down.descendants(99).path_size() == 101);
  CHECK(down.descendants(100).path_size() == 0);
  CHECK(down.descendants(100).parent_id() == IdAt(101).ToString());

  // By default a hundred levels; a tree has no more.
  CHECK(stores.Descendants({.event_id = IdAt(1)}).flat().total_descendants() == 100);
  const auto deep = stores.Descendants(
      {.event_id = IdAt(1), .format = CausationFormat::kTree, .max_depth = 10'000, .limit = 1000});
  const auto tree = json::Value::Parse(deep.tree().text());
  REQUIRE(tree.ok());
  CHECK(tree->Find("truncated")->text() == "true");
}

TEST_CASE("a diamond of 22 layers is walked once, not once for each of its paths") {
  TestDatabase database;
  // Two events a layer, each caused by both of the layer before.
  WriteLog(database, 45,
           "CASE WHEN n = 1 THEN '{}' WHEN n <= 3 THEN ARRAY[1] "
           "ELSE ARRAY[2 * ((n - 2) / 2), 2 * ((n - 2) / 2) + 1] END::bigint[]");
  Stores stores(database);
  const double took = Milliseconds([&] {
    REQUIRE(stores.reader
                .Run([&](pg::Connection& connection) {
                  const auto reach =
                      WalkLog(stores.reader, connection, {.root = 1, .max_depth = 100, .head = 45});
                  CHECK(reach->walk.nodes().size() == 45);
                  CHECK(reach->walk.depth() == 22);
                  return reach.status();
                })
                .ok());
  });
  WARN("diamond of 22 layers: " << took << " ms");
  const auto flat = stores.Descendants({.event_id = IdAt(1)}).flat();
  REQUIRE(flat.descendants_size() == 44);
  const auto& last = flat.descendants(43);
  REQUIRE(last.path_size() == 23);
  for (int layer = 1; layer < 22; ++layer) CHECK(last.path(layer) == IdAt(2 * layer).ToString());

  const auto graph =
      stores.Descendants({.event_id = IdAt(1), .format = CausationFormat::kGraph, .limit = 10'000})
          .graph();
  CHECK(graph.nodes_size() == 45);
  CHECK(graph.edges_size() == 2 + 21 * 4);
  CHECK_FALSE(graph.truncated());
  CHECK(stores.Ancestors({.event_id = IdAt(45)}).flat().total_ancestors() == 43);
}

TEST_CASE("a reach with more edges than a walk may visit says that it is cut") {
  TestDatabase database;
  WriteLog(database, 3, "ARRAY[CASE WHEN n > 1 THEN 1::bigint END]");
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute(R"sql(
    INSERT INTO event_ids SELECT gen_random_uuid(), n, gen_random_uuid()
      FROM generate_series(4, 1000101) AS n;
    INSERT INTO event_edges SELECT 1, n FROM generate_series(4, 1000101) AS n;
    ANALYZE event_edges, event_ids)sql")
              .ok());
  Stores stores(database, absl::Seconds(60));
  const auto flat = stores.Descendants({.event_id = IdAt(1), .limit = 2}).flat();
  CHECK(flat.truncated());
  CHECK(flat.total_descendants() == 1'000'000);
  CHECK(flat.descendants(0).event().position() == 2);
  CHECK(flat.descendants_size() == 2);
}

// What the store should find, by ids: depth and the neighbour towards the root.
struct Expected {
  int depth;
  Uuid before;
};

std::map<Uuid, Expected> Walk(const std::vector<event::Envelope>& log, const Uuid& root,
                              Direction direction, int max_depth) {
  const auto leads = [&](const event::Envelope& from, const event::Envelope& to) {
    const auto& child = direction == Direction::kDescendants ? to : from;
    const auto& parent = direction == Direction::kDescendants ? from : to;
    return std::find(child.parents.begin(), child.parents.end(), parent.id) != child.parents.end();
  };
  std::map<Uuid, Expected> found = {{root, {0, root}}};
  for (int depth = 1; depth <= max_depth; ++depth) {
    // The log is in the order of positions, so the first neighbour is the lowest.
    for (const event::Envelope& from : log) {
      const auto at = found.find(from.id);
      if (at == found.end() || at->second.depth != depth - 1) continue;
      for (const event::Envelope& to : log) {
        if (leads(from, to)) found.try_emplace(to.id, Expected{depth, from.id});
      }
    }
  }
  return found;
}

template <typename Events>
void CheckAgainst(const std::map<Uuid, Expected>& expected, const Events& events) {
  REQUIRE(static_cast<std::size_t>(events.size()) == expected.size() - 1);
  std::pair<int, std::int64_t> last = {0, 0};
  for (const auto& related : events) {
    const Uuid id = *Uuid::Parse(related.event().event_id());
    CHECK(related.depth() == expected.at(id).depth);
    CHECK(related.parent_id() == expected.at(id).before.ToString());
    std::vector<std::string> path = {id.ToString()};
    for (Uuid at = id; expected.at(at).depth > 0;) {
      at = expected.at(at).before;
      path.insert(path.begin(), at.ToString());
    }
    CHECK(std::vector<std::string>(related.path().begin(), related.path().end()) == path);
    const std::pair<int, std::int64_t> place = {related.depth(), related.event().position()};
    CHECK(last < place);
    last = place;
  }
}

TEST_CASE("walks find what a plain search finds, with late parents and hostile cycles") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  Random random(5);
  // Parents are any events of the log: earlier ones, later ones, some that never come.
  std::vector<event::Envelope> log;
  for (int i = 0; i < 120; ++i) log.push_back(MakeEnvelope("a.b", StrCat("{\"i\":", i, "}")));
  for (event::Envelope& envelope : log) {
    for (int i = 0; i < 3; ++i) {
      if (random.OneIn(2)) continue;
      const Uuid parent = random.OneIn(10) ? NewId() : random.Pick(log).id;
      auto& parents = envelope.parents;
      if (parent == envelope.id || std::count(parents.begin(), parents.end(), parent) > 0) continue;
      parents.push_back(parent);
    }
  }
  for (std::size_t at = 0; at < log.size(); at += 10) {
    const auto begin = log.begin() + static_cast<std::ptrdiff_t>(at);
    REQUIRE(AppendAll(*connection, {begin, begin + 10}).ok());
  }
  Stores stores(database);
  // The parents that came late are not joined with their children yet; nothing here does that.
  for (int round = 0; round < 60; ++round) {
    const Uuid root = random.Pick(log).id;
    const int max_depth = random.OneIn(2) ? 100 : static_cast<int>(random.Between(1, 4));
    CausationQuery query{.event_id = root, .max_depth = max_depth, .limit = 1000};
    CAPTURE(round, root.ToString(), max_depth);
    CheckAgainst(Walk(log, root, Direction::kDescendants, max_depth),
                 stores.Descendants(query).flat().descendants());
    CheckAgainst(Walk(log, root, Direction::kAncestors, max_depth),
                 stores.Ancestors(query).flat().ancestors());

    query.format = CausationFormat::kGraph;
    const auto graph = stores.Descendants(query).graph();
    std::set<std::string> nodes;
    for (const auto& node : graph.nodes()) nodes.insert(node.event_id());
    std::set<std::pair<std::string, std::string>> edges;
    for (const event::Envelope& child : log) {
      for (const Uuid& parent : child.parents) {
        if (nodes.contains(child.id.ToString()) && nodes.contains(parent.ToString())) {
          edges.emplace(parent.ToString(), child.id.ToString());
        }
      }
    }
    std::set<std::pair<std::string, std::string>> shown;
    for (const auto& edge : graph.edges()) shown.emplace(edge.cause(), edge.effect());
    CHECK(shown == edges);
    CHECK(static_cast<std::size_t>(graph.edges_size()) == edges.size());
  }
}

TEST_CASE("long braids, which are read many levels at a time, are walked as others are") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  Random random(3);
  std::vector<event::Envelope> log = {MakeEnvelope("a.root")};
  for (int i = 1; i < 900; ++i) {
    event::Envelope envelope = MakeEnvelope("a.b");
    // One to three of the last few events, and some that come later.
    for (auto more = random.Between(1, 3); more > 0; --more) {
      const Uuid parent =
          log[log.size() - 1 - random.Below(std::min<std::size_t>(4, log.size()))].id;
      auto& parents = envelope.parents;
      if (std::count(parents.begin(), parents.end(), parent) == 0) parents.push_back(parent);
    }
    log.push_back(std::move(envelope));
  }
  // Parents that come late make reading by range impossible until they are joined.
  if (GENERATE(true, false)) {
    for (int i = 0; i < 20; ++i) {
      log[random.Below(800)].parents.push_back(log[800 + random.Below(100)].id);
    }
  }
  REQUIRE(AppendAll(*connection, log).ok());
  Stores stores(database);
  for (const int max_depth : {20, 100}) {
    CAPTURE(max_depth);
    CheckAgainst(
        Walk(log, log.front().id, Direction::kDescendants, max_depth),
        stores.Descendants({.event_id = log.front().id, .max_depth = max_depth, .limit = 1000})
            .flat()
            .descendants());
    CheckAgainst(
        Walk(log, log.back().id, Direction::kAncestors, max_depth),
        stores.Ancestors({.event_id = log.back().id, .max_depth = max_depth, .limit = 1000})
            .flat()
            .ancestors());
  }
}

TEST_CASE("a chain whose links stand far apart is walked to its end, past what else is stored") {
  TestDatabase database;
  // A link at each 300th position from 1 on, each with one more child right behind it; all others are
  // children of the one before them, apart from the chain.
  WriteLog(database, 20'000,
           "ARRAY[CASE n % 300 WHEN 1 THEN nullif(n - 300, -299) WHEN 2 THEN n - 1"
           " WHEN 3 THEN NULL ELSE n - 1 END]");
  Stores stores(database);
  const auto down = stores.Descendants({.event_id = IdAt(1), .limit = 1000}).flat();
  // 67 links, the first of which is the root, and a child of each.
  REQUIRE(down.total_descendants() == 66 + 67);
  for (const store::v1::RelatedEvent& related : down.descendants()) {
    const auto place = related.event().position() - 1;
    CAPTURE(place);
    CHECK(place % 300 <= 1);
    CHECK(related.depth() == place / 300 + place % 300);
  }
  CHECK(stores.Descendants({.event_id = IdAt(1), .max_depth = 30}).flat().total_descendants() ==
        30 + 30);
}

TEST_CASE("wide levels are read by one scan, which finds only what belongs to them") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  // Two trees side by side, some of whose events are stored before their parents.
  std::vector<event::Envelope> log = {MakeEnvelope("a.root"), MakeEnvelope("b.root")};
  for (std::size_t i = 0; i < 800; ++i) {
    log.push_back(MakeEnvelope("a.child", "{}", {log[i % 2].id}));
  }
  for (std::size_t i = 0; i < 800; ++i) {
    log.push_back(MakeEnvelope("a.grandchild", "{}", {log[2 + i * 7 % 800].id}));
  }
  if (GENERATE(true, false)) {
    for (std::size_t i = 100; i < 200; i += 7) std::swap(log[i], log[i + 900]);
  }
  REQUIRE(AppendAll(*connection, log).ok());
  Stores stores(database);
  for (const event::Envelope& root : log) {
    if (root.type != "a.root" && root.type != "b.root") continue;
    const CausationQuery query{.event_id = root.id, .limit = 1000};
    CheckAgainst(Walk(log, root.id, Direction::kDescendants, 100),
                 stores.Descendants(query).flat().descendants());
  }
}

TEST_CASE("of an event that retention has dropped there are id and position") {
  TestDatabase database;
  WriteLog(database, 4, "ARRAY[CASE WHEN n > 1 THEN n - 1 END]");
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute("DELETE FROM events WHERE position = 2")
              .ok());
  Stores stores(database);
  const auto down = stores.Descendants({.event_id = IdAt(1)}).flat();
  REQUIRE(down.descendants_size() == 3);
  CHECK(down.descendants(0).event().event_id() == IdAt(2).ToString());
  CHECK(down.descendants(0).event().position() == 2);
  CHECK(down.descendants(0).event().event_type().empty());
  CHECK_FALSE(down.descendants(0).event().has_timestamp());
  CHECK(down.descendants(2).parent_id() == IdAt(3).ToString());
  CHECK(stores.Ancestors({.event_id = IdAt(4)}).flat().total_ancestors() == 2);
  const auto graph =
      stores.Descendants({.event_id = IdAt(1), .format = CausationFormat::kGraph, .limit = 10})
          .graph();
  REQUIRE(graph.nodes_size() == 4);
  CHECK(graph.nodes(1).event_id() == IdAt(2).ToString());
  CHECK_FALSE(graph.nodes(1).has_timestamp());
  CHECK(json::Value::Parse(
            stores.Descendants({.event_id = IdAt(1), .format = CausationFormat::kTree, .limit = 10})
                .tree()
                .text())
            .ok());
  CHECK(ReasonOf(stores.Error({.event_id = IdAt(2)})) == "RETENTION");
}

TEST_CASE("two events that name each other end the walk") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  auto a = MakeEnvelope("a.b");
  auto b = MakeEnvelope("a.b", "{}", {a.id});
  a.parents = {b.id};
  REQUIRE(AppendAll(*connection, {a, b}).ok());
  Stores stores(database);
  CHECK(stores.Descendants({.event_id = a.id, .max_depth = 10'000}).flat().total_descendants() ==
        1);
  CHECK(stores.Ancestors({.event_id = a.id, .max_depth = 10'000}).flat().total_ancestors() == 1);
  const auto graph =
      stores.Descendants({.event_id = a.id, .format = CausationFormat::kGraph, .limit = 10})
          .graph();
  CHECK(graph.edges_size() == 2);
}

TEST_CASE("a parent that comes late has its descendants at once") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const auto parent = MakeEnvelope("a.parent");
  const auto child = MakeEnvelope("a.child", "{}", {parent.id});
  const auto grandchild = MakeEnvelope("a.grandchild", "{}", {child.id});
  REQUIRE(AppendAll(*connection, {child, grandchild}).ok());
  Stores stores(database);
  CHECK(ReasonOf(stores.Error({.event_id = parent.id})) == "EVENT_NOT_FOUND");
  CHECK(stores.Ancestors({.event_id = grandchild.id}).flat().total_ancestors() == 1);
  REQUIRE(AppendAll(*connection, {parent}).ok());
  const auto down = stores.Descendants({.event_id = parent.id}).flat();
  REQUIRE(down.descendants_size() == 2);
  CHECK(down.descendants(0).event().event_id() == child.id.ToString());
  CHECK(down.descendants(1).event().event_id() == grandchild.id.ToString());
  CHECK(stores.Ancestors({.event_id = grandchild.id}).flat().total_ancestors() == 2);
}

TEST_CASE("all pages of an answer show the log as it was at the first") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const auto root = MakeEnvelope("a.root");
  std::vector<event::Envelope> children;
  for (int i = 0; i < 30; ++i) children.push_back(MakeEnvelope("a.child", "{}", {root.id}));
  // One whose only parent comes later, and hangs on the root.
  const auto link = MakeEnvelope("a.link", "{}", {root.id});
  const auto waiting = MakeEnvelope("a.waiting", "{}", {link.id});
  REQUIRE(AppendAll(*connection, {root, waiting}).ok());
  REQUIRE(AppendAll(*connection, children).ok());
  Stores stores(database);
  std::set<std::string> seen;
  CausationQuery query{.event_id = root.id, .limit = 4};
  bool linked = false;
  for (;;) {
    // A store of its own remembers no walk.
    const auto flat = Stores(database).Descendants(query).flat();
    CHECK(flat.total_descendants() == 30);
    CHECK(flat.position() == 32);
    for (const auto& related : flat.descendants()) {
      CHECK(seen.insert(related.event().event_id()).second);
    }
    std::vector<event::Envelope> more = {MakeEnvelope("a.child", "{}", {root.id}),
                                         MakeEnvelope("a.grandchild", "{}", {children.front().id})};
    if (!std::exchange(linked, true)) more.push_back(link);
    REQUIRE(AppendAll(*connection, more).ok());
    if (flat.next_page_token().empty()) break;
    query.page_token = flat.next_page_token();
  }
  CHECK(seen.size() == 30);
  CHECK(stores.Descendants({.event_id = root.id}).flat().total_descendants() == 30 + 2 * 8 + 2);
}

TEST_CASE("a page token is tied to its event, its direction, its depth and its log") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const auto root = MakeEnvelope("a.root");
  const auto child = MakeEnvelope("a.child", "{}", {root.id});
  REQUIRE(AppendAll(*connection, {root, child, MakeEnvelope("a.child", "{}", {root.id})}).ok());
  Stores stores(database);
  CausationQuery query{.event_id = root.id, .limit = 1};
  query.page_token = stores.Descendants(query).flat().next_page_token();
  REQUIRE_FALSE(query.page_token.empty());
  CausationQuery other = query;
  other.limit = 7;
  CHECK(stores.Descendants(other).flat().descendants_size() == 1);
  other.event_id = child.id;
  CHECK(FieldOf(stores.Error(other)) == "page_token");
  other = query;
  other.direction = Direction::kAncestors;
  CHECK(FieldOf(stores.Error(other)) == "page_token");
  other = query;
  other.max_depth = 7;
  CHECK(FieldOf(stores.Error(other)) == "page_token");
  other.page_token = "x";
  CHECK(FieldOf(stores.Error(other)) == "page_token");
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute("UPDATE log_identity SET log_id = gen_random_uuid()")
              .ok());
  CHECK(ReasonOf(stores.Error(query)) == "LOG_CHANGED");
}

TEST_CASE("answers with large events end early, in every format") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  Random random(1);
  const auto root = MakeEnvelope("a.root");
  REQUIRE(AppendAll(*connection, {root}).ok());
  for (int i = 0; i < 8; ++i) {
    std::string text(1 << 20, 'x');
    for (char& c : text) c = static_cast<char>('a' + random.Below(26));
    REQUIRE(AppendAll(*connection,
                      {MakeEnvelope("a.large", StrCat("{\"t\":\"", text, "\"}"), {root.id})})
                .ok());
  }
  Stores stores(database);
  CausationQuery query{.event_id = root.id};
  int found = 0;
  do {
    const auto response = stores.Descendants(query);
    CHECK(response.ByteSizeLong() < (3 << 20) + 1024);
    CHECK(response.flat().total_descendants() == 8);
    found += response.flat().descendants_size();
    query.page_token = response.flat().next_page_token();
  } while (!query.page_token.empty());
  CHECK(found == 8);

  query.format = CausationFormat::kTree;
  const auto tree = stores.Descendants(query);
  CHECK(tree.ByteSizeLong() < (3 << 20) + 1024);
  const auto json = json::Value::Parse(tree.tree().text());
  REQUIRE(json.ok());
  CHECK(json->Find("truncated")->text() == "true");
  query.format = CausationFormat::kGraph;
  CHECK(stores.Descendants(query).graph().nodes_size() == 9);
}

TEST_CASE("a walk that takes too long is given up with what to do") {
  TestDatabase database;
  WriteLog(database, 10'000, "ARRAY[CASE WHEN n > 1 THEN n - 1 END]");
  Stores stores(database, absl::Milliseconds(3));
  const absl::Status status = stores.Error({.event_id = IdAt(1), .max_depth = 10'000});
  CHECK(ReasonOf(status) == "QUERY_TOO_SLOW");
  CHECK(MessageOf(status).find("max_depth") != std::string_view::npos);
}

}  // namespace
}  // namespace god33::api
