#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "eventlog/append.h"
#include "eventlog/cursor.h"
#include "eventlog/dead_letter.h"
#include "eventlog/event_row.h"
#include "testing/servers.h"
#include "tests/integration/events.h"
#include "wire/read.h"

namespace god33::eventlog {
namespace {

using sequence::Unit;
using testing::AppendAll;
using testing::MakeEnvelope;
using testing::MakeUnit;
using testing::NewId;
using testing::TestDatabase;

constexpr pg::Statement kAll = {
    "all_events", "SELECT " GOD33_EVENT_COLUMNS " FROM events AS e ORDER BY position"};

std::vector<StoredEvent> AllEvents(pg::Connection& connection) {
  const auto rows = connection.Query(kAll);
  REQUIRE(rows.ok());
  std::vector<StoredEvent> events;
  for (int i = 0; i < rows->rows(); ++i) events.push_back(ReadEvent(*rows, i));
  return events;
}

std::int64_t Count(pg::Connection& connection, const std::string& from) {
  // A connection knows its statements by the address of their names.
  static std::set<std::string> texts;
  const char* sql = texts.insert(StrCat("SELECT count(*) FROM ", from)).first->c_str();
  static std::map<const char*, std::string> names;
  const std::string& name = names.emplace(sql, StrCat("count_", names.size())).first->second;
  const auto rows = connection.Query({name.c_str(), sql});
  REQUIRE(rows.ok());
  return rows->Int8(0, 0);
}

absl::StatusOr<Stored> AppendUnits(pg::Connection& connection, const std::vector<Unit>& units) {
  std::vector<const Unit*> pointers;
  for (const Unit& unit : units) pointers.push_back(&unit);
  absl::flat_hash_set<std::string> known_types;
  return Append(
      connection, pointers, [](const auto&) { return std::vector<DeadLetter>(); }, known_types);
}

TEST_CASE("an event comes back as it was, to the last digit") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const std::string payload =
      "{ \"big\": 9223372036854775808, \"d\":123456789012345678901234567890.000,\"e\":1e400,"
      "\"nul\":\"\\u0000\",\"half\":\"\\ud800\",\"k\":1,\"k\":2,\"deep\":[[[{}]]] }";
  event::Envelope envelope = MakeEnvelope("a.b", payload, {NewId(), NewId()});
  envelope.source.meta = "{\"x\":1.0}";
  envelope.agent_context.emplace().name = "line\nbreak";
  envelope.agent_context->code_state.emplace().branch = "main";
  REQUIRE(AppendAll(*connection, {envelope}).ok());
  const std::vector<StoredEvent> events = AllEvents(*connection);
  REQUIRE(events.size() == 1);
  CHECK(events[0].envelope.payload == payload);
  CHECK(events[0].envelope.id == envelope.id);
  CHECK(events[0].envelope.time == envelope.time);
  CHECK(events[0].envelope.source == envelope.source);
  CHECK(events[0].envelope.parents == envelope.parents);
  CHECK(events[0].envelope.agent_context == envelope.agent_context);
  CHECK(events[0].position == 1);
}

TEST_CASE("positions are dense and in the order of the batch") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  std::vector<event::Envelope> envelopes;
  for (int i = 0; i < 50; ++i) envelopes.push_back(MakeEnvelope("a.b", StrCat("{\"i\":", i, "}")));
  REQUIRE(AppendAll(*connection, envelopes).ok());
  REQUIRE(AppendAll(*connection, {MakeEnvelope("a.b")}).ok());
  const std::vector<StoredEvent> events = AllEvents(*connection);
  REQUIRE(events.size() == 51);
  for (std::size_t i = 0; i < events.size(); ++i) {
    CHECK(events[i].position == static_cast<std::int64_t>(i + 1));
    if (i < 50) CHECK(events[i].envelope.id == envelopes[i].id);
    if (i > 0) CHECK(events[i].recorded_at >= events[i - 1].recorded_at);
  }
}

TEST_CASE("the same event again is a duplicate and writes nothing") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const event::Envelope envelope = MakeEnvelope("a.b", "{\"a\":1,\"b\":100}");
  REQUIRE(AppendAll(*connection, {envelope}).ok());
  // Written differently, the same content.
  event::Envelope again = envelope;
  again.payload = "{ \"b\": 1e2, \"a\": 1.0 }";
  const auto stored = AppendAll(*connection, {again, envelope});
  REQUIRE(stored.ok());
  CHECK(stored->new_events == 0);
  CHECK(stored->duplicates == 2);
  CHECK(stored->outcomes[0].placed[0].position == 1);
  CHECK(stored->outcomes[0].placed[0].duplicate);
  CHECK(AllEvents(*connection).size() == 1);
}

TEST_CASE("the same event twice in one batch is stored once") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const event::Envelope envelope = MakeEnvelope("a.b");
  const auto stored = AppendAll(*connection, {envelope, MakeEnvelope("c.d"), envelope});
  REQUIRE(stored.ok());
  CHECK(stored->outcomes[2].placed[0].position == 1);
  CHECK(stored->outcomes[2].placed[0].duplicate);
  CHECK(AllEvents(*connection).size() == 2);
}

TEST_CASE(
    "an id that is taken by other content is a conflict; the first stays, neighbours are stored") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const event::Envelope first = MakeEnvelope("a.b", "{\"n\":1}");
  REQUIRE(AppendAll(*connection, {first}).ok());
  event::Envelope other = first;
  other.payload = "{\"n\":2}";
  const auto stored = AppendAll(*connection, {MakeEnvelope("x.y"), other, MakeEnvelope("x.z")});
  REQUIRE(stored.ok());
  CHECK(ReasonOf(stored->outcomes[1].status) == "ID_CONFLICT");
  CHECK(stored->outcomes[0].status.ok());
  CHECK(stored->outcomes[2].placed[0].position == 3);
  CHECK(AllEvents(*connection)[0].envelope.payload == "{\"n\":1}");
}

TEST_CASE("an aggregate advances by the events of its units, and refuses another version") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const std::string name = StrCat("task/", NewId().ToString());
  Unit first = MakeUnit({MakeEnvelope("a.b"), MakeEnvelope("a.c")});
  first.aggregate = {.name = name, .expected_version = 0};
  Unit stale = MakeUnit({MakeEnvelope("a.d")});
  stale.aggregate = {.name = name, .expected_version = 1};
  Unit unguarded = MakeUnit({MakeEnvelope("a.e")});
  unguarded.aggregate = {.name = name};
  const auto stored = AppendUnits(*connection, {first, stale, unguarded});
  REQUIRE(stored.ok());
  CHECK(stored->outcomes[0].aggregate_version == 2);
  CHECK(ReasonOf(stored->outcomes[1].status) == "VERSION_CONFLICT");
  CHECK(stored->outcomes[2].aggregate_version == 3);
  CHECK(AllEvents(*connection).size() == 3);

  // Later, and again: the retry of what was stored is no conflict.
  Unit next = MakeUnit({MakeEnvelope("a.f")});
  next.aggregate = {.name = name, .expected_version = 3};
  REQUIRE(AppendUnits(*connection, {next})->outcomes[0].aggregate_version == 4);
  const auto retried = AppendUnits(*connection, {next});
  CHECK(retried->outcomes[0].status.ok());
  CHECK(retried->outcomes[0].placed[0].duplicate);
  CHECK(retried->outcomes[0].aggregate_version == 4);
}

TEST_CASE("an append without a time that is retried is the same event") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  Unit first = MakeUnit({MakeEnvelope("a.b", "{\"n\":1}")});
  first.events[0].time_is_ours = true;
  REQUIRE(AppendUnits(*connection, {first}).ok());
  event::Envelope later = first.events[0].envelope;
  later.time += absl::Seconds(5);
  Unit retry = MakeUnit({later});
  retry.events[0].time_is_ours = true;
  const auto stored = AppendUnits(*connection, {retry});
  REQUIRE(stored.ok());
  REQUIRE(stored->outcomes[0].status.ok());
  CHECK(stored->outcomes[0].placed[0].duplicate);

  // With a time of the caller's own, or with other content, it is another event.
  CHECK(ReasonOf(AppendUnits(*connection, {MakeUnit({later})})->outcomes[0].status) ==
        "ID_CONFLICT");
  later.payload = "{\"n\":2}";
  Unit other = MakeUnit({later});
  other.events[0].time_is_ours = true;
  CHECK(ReasonOf(AppendUnits(*connection, {other})->outcomes[0].status) == "ID_CONFLICT");
}

TEST_CASE("a unit of which only a part was stored before is refused as a whole") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const event::Envelope known = MakeEnvelope("a.b");
  REQUIRE(AppendAll(*connection, {known}).ok());
  const auto stored = AppendUnits(*connection, {MakeUnit({known, MakeEnvelope("a.c")})});
  REQUIRE(stored.ok());
  CHECK(ReasonOf(stored->outcomes[0].status) == "PARTIAL_DUPLICATE");
  CHECK(AllEvents(*connection).size() == 1);
}

TEST_CASE("dead letters are written with the batch, once for a redelivered message") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  DeadLetter letter{.reason = "unreadable",
                    .detail = "bad \xff\0 bytes",
                    .origin = {.exchange = "e",
                               .routing_key = std::string("r\xfe\0k", 4),
                               .properties = "{\"headers\":{\"x\":\"\\u0000\"}}",
                               .body = std::string("\0\xff{", 3)}};
  const auto store = [&](const DeadLetter& dead) {
    absl::flat_hash_set<std::string> types;
    const Unit unit = MakeUnit({MakeEnvelope("a.b")});
    return Append(
        *connection, {&unit}, [&](const auto&) { return std::vector{dead}; }, types);
  };
  REQUIRE(store(letter).ok());
  letter.origin.redelivered = true;
  REQUIRE(store(letter).ok());
  CHECK(Count(*connection, "dead_letters") == 1);
  letter.origin.redelivered = false;  // another message with the same bytes
  REQUIRE(store(letter).ok());
  CHECK(Count(*connection, "dead_letters") == 2);

  const auto uncopied = FindUncopied(*connection, 10);
  REQUIRE(uncopied.ok());
  REQUIRE(uncopied->size() == 2);
  CHECK((*uncopied)[0].letter.origin.body == std::string("\0\xff{", 3));
  REQUIRE(MarkCopied(*connection, {(*uncopied)[0].id}).ok());
  CHECK(FindUncopied(*connection, 10)->size() == 1);
}

TEST_CASE("content that the database refuses fails the batch as a data error and stores nothing") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute("ALTER TABLE events ADD CHECK (event_type <> 'poison.event')")
              .ok());
  const auto stored = AppendAll(*connection, {MakeEnvelope("a.b"), MakeEnvelope("poison.event")});
  CHECK(absl::IsInvalidArgument(stored.status()));
  CHECK(AllEvents(*connection).empty());
  REQUIRE(AppendAll(*connection, {MakeEnvelope("a.b")}).ok());
  CHECK(AllEvents(*connection)[0].position == 1);
}

TEST_CASE("causes become edges, also of parents in the same batch; missing ones are remembered") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const event::Envelope root = MakeEnvelope("a.root");
  const event::Envelope child = MakeEnvelope("a.child", "{}", {root.id, NewId()});
  REQUIRE(AppendAll(*connection, {root, child}).ok());
  CHECK(Count(*connection, "event_edges WHERE (parent_position, child_position) = (1, 2)") == 1);
  CHECK(Count(*connection, "event_orphans WHERE child_position = 2") == 1);
}

TEST_CASE("members of a workflow are what names it and what descends from it, within its project") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  const event::Envelope started = MakeEnvelope(
      "bmad.workflow.started",
      StrCat("{\"workflow_id\":\"", workflow.ToString(), "\",\"project_name\":\"p\"}"));
  const event::Envelope child = MakeEnvelope("a.child", "{}", {started.id});
  REQUIRE(AppendAll(*connection, {started, child}).ok());
  const event::Envelope grandchild = MakeEnvelope("a.grandchild", "{}", {child.id});
  const event::Envelope foreign =
      MakeEnvelope("a.foreign", "{\"project_name\":\"other\"}", {child.id});
  const event::Envelope own =
      MakeEnvelope("a.own", StrCat("{\"workflow_id\":\"", NewId().ToString(), "\"}"), {child.id});
  REQUIRE(AppendAll(*connection, {grandchild, foreign, own}).ok());
  const std::string members = StrCat("memberships WHERE kind = 'w' AND group_id = '",
                                     workflow.ToString(), "' AND position ");
  CHECK(Count(*connection, members + "IN (1, 2, 3)") == 3);
  CHECK(Count(*connection, members + "> 3") == 0);
  CHECK(Count(*connection, "events WHERE project = 'p'") == 3);
  CHECK(Count(*connection, "events WHERE project = 'other'") == 1);
}

TEST_CASE("a cursor has one holder at a time, and a holder that lost it moves nothing") {
  TestDatabase database;
  const auto first = TestDatabase::Connect(database.Writer());
  const auto second = TestDatabase::Connect(database.Writer());
  const absl::Duration ttl = absl::Seconds(30);
  const auto lease = AcquireCursor(*first, "c", "one", ttl);
  REQUIRE(lease.ok());
  REQUIRE(*lease);
  CHECK_FALSE(*AcquireCursor(*second, "c", "two", ttl));
  REQUIRE(MoveCursor(*first, **lease, 7, 3, ttl).ok());
  // Taking it again keeps the epoch.
  CHECK((*AcquireCursor(*first, "c", "one", ttl))->epoch == (*lease)->epoch);
  REQUIRE(MoveCursor(*first, **lease, 7, 3, -absl::Seconds(1)).ok());  // the lease has run out

  const auto taken = AcquireCursor(*second, "c", "two", ttl);
  REQUIRE(*taken);
  CHECK((*taken)->position == 7);
  CHECK((*taken)->within == 3);
  CHECK((*taken)->epoch == (*lease)->epoch + 1);
  CHECK(ReasonOf(MoveCursor(*first, **lease, 8, 0, ttl)) == "LEASE_LOST");
  REQUIRE(ReleaseCursor(*second, **taken).ok());
  CHECK(*AcquireCursor(*first, "c", "one", ttl));
}

TEST_CASE("a lease that was given while the clock was ahead is nobody's when it is right again") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const absl::Duration ttl = absl::Seconds(5);
  const auto lease = AcquireCursor(*connection, "c", "one", ttl);
  REQUIRE(lease.ok());
  REQUIRE(*lease);
  const auto give_until = [&](const std::string& moment) {
    REQUIRE(connection
                ->Execute(StrCat("UPDATE cursors SET expires_at = clock_timestamp() + interval '",
                                 moment, "'"))
                .ok());
  };
  give_until("9 seconds");  // set back by a few seconds: its holder has time to renew it
  CHECK_FALSE(*AcquireCursor(*connection, "c", "two", ttl));
  give_until("1 hour");
  const auto taken = AcquireCursor(*connection, "c", "two", ttl);
  REQUIRE(*taken);
  CHECK((*taken)->epoch == (*lease)->epoch + 1);
  CHECK(ReasonOf(MoveCursor(*connection, **lease, 8, 0, ttl)) == "LEASE_LOST");
}

TEST_CASE("the partition of a month is made once, whoever asks and however often") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  for (int i = 0; i < 2; ++i) {
    REQUIRE(connection->Execute("SELECT ensure_event_partition('2031-02-28 23:59:59Z')").ok());
  }
  CHECK(Count(*connection, "pg_class WHERE relname = 'events_203102'") == 1);
}

TEST_CASE("a log that is found on another server's timeline gets a new id") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const auto admin = TestDatabase::Connect(database.Admin());
  constexpr pg::Statement kLogId = {"log_id", "SELECT check_log_identity()"};
  const Uuid before = connection->Query(kLogId)->Id(0, 0);
  CHECK(connection->Query(kLogId)->Id(0, 0) == before);
  REQUIRE(admin->Execute("UPDATE log_identity SET timeline_id = timeline_id + 1").ok());
  CHECK(connection->Query(kLogId)->Id(0, 0) != before);
}

TEST_CASE("no service role may change or remove what was stored") {
  TestDatabase database;
  const auto writer = TestDatabase::Connect(database.Writer());
  const auto reader = TestDatabase::Connect(database.Reader());
  for (const char* sql :
       {"UPDATE events SET payload = '{}'", "DELETE FROM events", "TRUNCATE events",
        "UPDATE event_ids SET position = 1", "DELETE FROM event_ids", "DROP TABLE events",
        "DELETE FROM dead_letters", "UPDATE dead_letters SET body = ''"}) {
    CHECK(absl::IsPermissionDenied(writer->Execute(sql)));
  }
  CHECK(absl::IsPermissionDenied(reader->Execute("INSERT INTO event_types VALUES ('a', 1)")));
}

}  // namespace
}  // namespace god33::eventlog
