#include "sequence/resolve.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "event/digest.h"
#include "testing/fake_ids.h"
#include "unit/printers.h"

namespace god33::sequence {
namespace {

using testing::FakeId;

constexpr char kAggregate[] = "task/00000000-0000-4000-8000-000000000007";

NewEvent Event(std::uint64_t id, std::string payload = "{}",
               std::vector<std::uint64_t> parents = {}) {
  event::Envelope envelope;
  envelope.id = FakeId(id);
  envelope.type = "a.b";
  envelope.source = {.host = "h", .type = "service"};
  envelope.payload = std::move(payload);
  for (const std::uint64_t parent : parents) envelope.parents.push_back(FakeId(parent));
  return Prepare(std::move(envelope));
}

// Units of one event each.
std::vector<Unit> Single(std::vector<NewEvent> events) {
  std::vector<Unit> units;
  for (NewEvent& event : events) units.push_back({.events = {std::move(event)}});
  return units;
}

Resolution Run(const std::vector<Unit>& units, const Known& known = {}) {
  std::vector<const Unit*> pointers;
  for (const Unit& unit : units) pointers.push_back(&unit);
  return Resolve(pointers, known);
}

std::string Reason(const Outcome& outcome) {
  return outcome.status.ok() ? "OK" : ReasonOf(outcome.status);
}

TEST_CASE("preparing an event works out its facts and digest") {
  event::Envelope envelope;
  envelope.type = "a.b";
  envelope.payload = R"({"project_name":"p"})";
  const NewEvent event = Prepare(envelope);
  CHECK(event.facts.project == "p");
  CHECK(event.digest == event::ContentDigest(envelope));
  CHECK(event.envelope.payload == envelope.payload);
  CHECK_FALSE(event.appended);
  CHECK(event.payload_errors.empty());
}

TEST_CASE("new events get the positions behind the head, without gaps, in their order") {
  const auto units = Single({Event(1), Event(2), Event(3)});
  const Resolution resolution = Run(units, {.head = 41});
  REQUIRE(resolution.outcomes.size() == 3);
  REQUIRE(resolution.rows.events.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(resolution.outcomes[i].status.ok());
    REQUIRE(resolution.outcomes[i].placed.size() == 1);
    CHECK(resolution.outcomes[i].placed[0].position == 42 + static_cast<std::int64_t>(i));
    CHECK_FALSE(resolution.outcomes[i].placed[0].duplicate);
    CHECK(resolution.rows.events[i].position == 42 + static_cast<std::int64_t>(i));
    CHECK(resolution.rows.events[i].event == &units[i].events[0]);
    CHECK_FALSE(resolution.outcomes[i].aggregate_version);
  }
}

TEST_CASE("an event that is stored already is a duplicate with its first position") {
  const auto units = Single({Event(1), Event(2)});
  const Resolution resolution =
      Run(units, {.head = 9, .events = {{FakeId(1), {5, units[0].events[0].digest}}}});
  CHECK(resolution.outcomes[0].status.ok());
  CHECK(resolution.outcomes[0].placed[0].position == 5);
  CHECK(resolution.outcomes[0].placed[0].duplicate);
  CHECK(resolution.outcomes[1].placed[0].position == 10);
  CHECK(resolution.rows.events.size() == 1);
}

TEST_CASE("an event that comes twice in a batch is stored once") {
  const auto units = Single({Event(1), Event(1), Event(2)});
  const Resolution resolution = Run(units);
  CHECK(resolution.outcomes[1].placed[0].position == 1);
  CHECK(resolution.outcomes[1].placed[0].duplicate);
  CHECK(resolution.outcomes[2].placed[0].position == 2);
  CHECK(resolution.rows.events.size() == 2);
}

TEST_CASE("an event without a time of its own that comes twice in a batch is stored once") {
  const auto at = [](std::int64_t seconds, const char* payload, bool ours) {
    event::Envelope envelope = Event(1, payload).envelope;
    envelope.time = absl::FromUnixSeconds(seconds);
    NewEvent event = Prepare(std::move(envelope));
    event.time_is_ours = ours;
    return event;
  };
  const auto second = [&](NewEvent event) {
    const auto units = Single({at(10, "{}", true), std::move(event)});
    const Resolution resolution = Run(units, {.head = 7});
    CHECK(resolution.rows.events.size() == 1);
    return Reason(resolution.outcomes[1]);
  };
  CHECK(second(at(11, "{}", true)) == "OK");
  CHECK(second(at(11, R"({"n":1})", true)) == "ID_CONFLICT");
  CHECK(second(at(11, "{}", false)) == "ID_CONFLICT");
}

TEST_CASE("an id taken by other content is a conflict, and the first stays") {
  const auto units = Single({Event(1), Event(1, R"({"a":1})"), Event(2)});
  const Resolution resolution = Run(units);
  CHECK(resolution.outcomes[1].status.code() == absl::StatusCode::kAlreadyExists);
  CHECK(Reason(resolution.outcomes[1]) == "ID_CONFLICT");
  CHECK(FieldOf(resolution.outcomes[1].status) == "event_id");
  CHECK(resolution.outcomes[1].placed.empty());
  CHECK(resolution.outcomes[2].placed[0].position == 2);

  const Resolution stored =
      Run(Single({Event(1)}), {.head = 9, .events = {{FakeId(1), {5, Uuid()}}}});
  CHECK(Reason(stored.outcomes[0]) == "ID_CONFLICT");
  CHECK(stored.rows.events.empty());
}

TEST_CASE("a unit is stored all or none") {
  const std::vector<Unit> units = {
      {.events = {Event(1), Event(2)}},
      {.events = {Event(3), Event(1, R"({"other":1})")}},  // a conflict
      {.events = {Event(1), Event(4, R"({"n":1})")}},      // in part stored before
      {.events = {Event(5), Event(5)}},                    // one id twice
      {.events = {Event(2), Event(1)}},                    // stored before, in another order
      {.events = {Event(6)}}};
  const Resolution resolution = Run(units);
  CHECK(Reason(resolution.outcomes[0]) == "OK");
  CHECK(Reason(resolution.outcomes[1]) == "ID_CONFLICT");
  CHECK(Reason(resolution.outcomes[2]) == "PARTIAL_DUPLICATE");
  CHECK(resolution.outcomes[2].status.code() == absl::StatusCode::kAborted);
  CHECK(Reason(resolution.outcomes[3]) == "INVALID_ARGUMENT");
  CHECK(resolution.outcomes[3].status.code() == absl::StatusCode::kInvalidArgument);
  REQUIRE(Reason(resolution.outcomes[4]) == "OK");
  CHECK(resolution.outcomes[4].placed[0].position == 2);
  CHECK(resolution.outcomes[4].placed[1].position == 1);
  CHECK(resolution.outcomes[5].placed[0].position == 3);
  CHECK(resolution.rows.events.size() == 3);
  for (const std::size_t refused : {1, 2, 3}) CHECK(resolution.outcomes[refused].placed.empty());
}

TEST_CASE("nothing is placed when an outcome is an error, even after a duplicate was seen") {
  const std::vector<Unit> units = {{.events = {Event(1), Event(2)}},
                                   {.events = {Event(1), Event(2, R"({"other":1})")}}};
  const Resolution resolution = Run(units);
  CHECK(Reason(resolution.outcomes[1]) == "ID_CONFLICT");
  CHECK(resolution.outcomes[1].placed.empty());
}

TEST_CASE("an append moves its aggregate by one for each event") {
  const std::vector<Unit> units = {
      {.events = {Event(1), Event(2)}, .aggregate = Aggregate{kAggregate, 0}},
      {.events = {Event(3)}, .aggregate = Aggregate{kAggregate, 2}},
      {.events = {Event(4)}, .aggregate = Aggregate{kAggregate, std::nullopt}}};
  const Resolution resolution = Run(units);
  CHECK(resolution.outcomes[0].aggregate_version == 2);
  CHECK(resolution.outcomes[1].aggregate_version == 3);
  CHECK(resolution.outcomes[2].aggregate_version == 4);
  REQUIRE(resolution.rows.events.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(resolution.rows.events[i].aggregate == kAggregate);
    CHECK(resolution.rows.events[i].aggregate_version == static_cast<std::int64_t>(i) + 1);
  }
  CHECK(resolution.rows.versions.at(kAggregate) == 4);
  CHECK(resolution.rows.versions.size() == 1);
}

TEST_CASE("a version that is not the expected one aborts the append") {
  const Known known{.head = 9, .versions = {{kAggregate, 3}}};
  for (const std::int64_t expected : {0, 1, 2, 4}) {
    const std::vector<Unit> units = {
        {.events = {Event(1)}, .aggregate = Aggregate{kAggregate, expected}}};
    const Resolution resolution = Run(units, known);
    CHECK(resolution.outcomes[0].status.code() == absl::StatusCode::kAborted);
    CHECK(Reason(resolution.outcomes[0]) == "VERSION_CONFLICT");
    CHECK(resolution.outcomes[0].placed.empty());
    CHECK(resolution.rows.events.empty());
    CHECK(resolution.rows.versions.empty());
  }
  const std::vector<Unit> units = {{.events = {Event(1)}, .aggregate = Aggregate{kAggregate, 3}}};
  CHECK(Run(units, known).outcomes[0].aggregate_version == 4);
}

TEST_CASE("of two appends that expect one version, the first wins") {
  const std::vector<Unit> units = {{.events = {Event(1)}, .aggregate = Aggregate{kAggregate, 0}},
                                   {.events = {Event(2)}, .aggregate = Aggregate{kAggregate, 0}},
                                   {.events = {Event(3)}, .aggregate = Aggregate{kAggregate, 1}}};
  const Resolution resolution = Run(units);
  CHECK(Reason(resolution.outcomes[0]) == "OK");
  CHECK(Reason(resolution.outcomes[1]) == "VERSION_CONFLICT");
  CHECK(Reason(resolution.outcomes[2]) == "OK");
  CHECK(resolution.outcomes[2].placed[0].position == 2);
}

TEST_CASE("an append that is repeated is harmless, whatever version it expects") {
  const Unit unit{.events = {Event(1)}, .aggregate = Aggregate{kAggregate, 0}};
  const Resolution resolution = Run({unit}, {.head = 9,
                                             .events = {{FakeId(1), {5, unit.events[0].digest}}},
                                             .versions = {{kAggregate, 1}}});
  CHECK(Reason(resolution.outcomes[0]) == "OK");
  CHECK(resolution.outcomes[0].placed[0].position == 5);
  CHECK(resolution.outcomes[0].placed[0].duplicate);
  CHECK(resolution.outcomes[0].aggregate_version == 1);
  CHECK(resolution.rows.versions.empty());
}

TEST_CASE("events from the bus move no aggregate") {
  const Resolution resolution = Run(Single({Event(1)}), {.versions = {{kAggregate, 3}}});
  CHECK(resolution.rows.events[0].aggregate.empty());
  CHECK(resolution.rows.versions.empty());
}

TEST_CASE("a parent that is stored gives an edge, one that is not an orphan") {
  const auto units = Single({Event(1), Event(2, "{}", {1, 50, 99})});
  const Resolution resolution = Run(units, {.head = 9, .events = {{FakeId(50), {4, Uuid()}}}});
  REQUIRE(resolution.rows.edges.size() == 2);
  CHECK(resolution.rows.edges[0].parent == 10);
  CHECK(resolution.rows.edges[0].child == 11);
  CHECK(resolution.rows.edges[1].parent == 4);
  CHECK(resolution.rows.edges[1].child == 11);
  REQUIRE(resolution.rows.orphans.size() == 1);
  CHECK(resolution.rows.orphans[0].parent == FakeId(99));
  CHECK(resolution.rows.orphans[0].child == 11);
  CHECK(resolution.rows.late_parents.empty());
}

TEST_CASE("a parent that comes after its child is a late one") {
  const Resolution resolution = Run(Single({Event(2, "{}", {1}), Event(1), Event(3)}));
  CHECK(resolution.rows.edges.empty());
  REQUIRE(resolution.rows.orphans.size() == 1);
  CHECK(resolution.rows.orphans[0].child == 1);
  REQUIRE(resolution.rows.late_parents.size() == 1);
  CHECK(resolution.rows.late_parents[0].position == 2);
  CHECK(resolution.rows.late_parents[0].id == FakeId(1));
}

TEST_CASE("a parent that stored children wait for is a late one") {
  const Resolution resolution =
      Run(Single({Event(1), Event(2)}), {.head = 9, .awaited = {FakeId(2)}});
  REQUIRE(resolution.rows.late_parents.size() == 1);
  CHECK(resolution.rows.late_parents[0].position == 11);
}

TEST_CASE("units that are refused leave no trace: no orphans, nobody late") {
  const std::vector<Unit> units = {{.events = {Event(1)}},
                                   {.events = {Event(2, "{}", {77}), Event(1, R"({"other":1})")}},
                                   {.events = {Event(77)}}};
  const Resolution resolution = Run(units);
  CHECK(Reason(resolution.outcomes[1]) == "ID_CONFLICT");
  CHECK(resolution.rows.orphans.empty());
  CHECK(resolution.rows.late_parents.empty());
}

std::string Names(std::uint64_t workflow, std::string_view project = "") {
  return StrCat(R"({"workflow_id":")", FakeId(workflow).ToString(), R"(")",
                project.empty() ? "" : R"(,"project_name":")", project, project.empty() ? "" : "\"",
                "}");
}

TEST_CASE("the first event that names a workflow and a project makes the project its owner") {
  const auto units = Single({Event(1, Names(100)), Event(2, Names(100, "p")),
                             Event(3, Names(100, "q")), Event(4, Names(100))});
  const Resolution resolution = Run(units, {.head = 9});
  REQUIRE(resolution.rows.owned.size() == 1);
  CHECK(resolution.rows.owned[0].workflow == FakeId(100));
  CHECK(resolution.rows.owned[0].project == "p");
  CHECK(resolution.rows.owned[0].position == 11);
  CHECK(resolution.rows.events[0].project.empty());
  CHECK(resolution.rows.events[1].project == "p");
  CHECK(resolution.rows.events[2].project == "q");
  CHECK(resolution.rows.events[3].project == "p");
}

TEST_CASE("a workflow that is owned already keeps its owner") {
  const Resolution resolution = Run(Single({Event(1, Names(100, "q")), Event(2, Names(100))}),
                                    {.projects = {{FakeId(100), "p"}}});
  CHECK(resolution.rows.owned.empty());
  CHECK(resolution.rows.events[1].project == "p");
}

TEST_CASE("a child of a member belongs to the workflow and to its project") {
  const auto units = Single({Event(1, Names(100, "p")), Event(2, "{}", {1}), Event(3, "{}", {2})});
  const Resolution resolution = Run(units);
  REQUIRE(resolution.rows.members.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(resolution.rows.members[i].position == static_cast<std::int64_t>(i) + 1);
    CHECK(resolution.rows.members[i].membership.group == FakeId(100));
    CHECK(resolution.rows.members[i].membership.kind == GroupKind::kWorkflow);
    CHECK(resolution.rows.events[i].project == "p");
  }
}

TEST_CASE("a project that became known in the batch counts for children of earlier members") {
  const std::vector<NewEvent> child_of_batch = {Event(1, Names(100)), Event(2, Names(100, "p")),
                                                Event(3, "{}", {1})};
  CHECK(Run(Single(child_of_batch)).rows.events[2].project == "p");

  const Known known{.head = 9,
                    .events = {{FakeId(1), {4, Uuid()}}},
                    .memberships = {{4, {{GroupKind::kWorkflow, FakeId(100), true, ""}}}}};
  const std::vector<NewEvent> child_of_stored = {Event(2, Names(100, "p")), Event(3, "{}", {1})};
  CHECK(Run(Single(child_of_stored), known).rows.events[1].project == "p");
}

TEST_CASE("where a batch ends makes no difference to the project that comes down") {
  // A member of two workflows that turn out to belong to different projects.
  const std::vector<NewEvent> story = {Event(1, Names(102)),      Event(2, Names(101)),
                                       Event(3, "{}", {1, 2}),    Event(4, Names(101, "p")),
                                       Event(5, Names(102, "q")), Event(6, "{}", {3})};
  const Resolution together = Run(Single(story));
  REQUIRE(together.rows.events.size() == 6);

  const Known known{.head = 5,
                    .events = {{FakeId(3), {3, Uuid()}}},
                    .memberships = {{3,
                                     {{GroupKind::kWorkflow, FakeId(101), true, "p"},
                                      {GroupKind::kWorkflow, FakeId(102), true, "q"}}}}};
  const Resolution later = Run(Single({story[5]}), known);
  CHECK(later.rows.events[0].project == "p");
  CHECK(together.rows.events[5].project == "p");
}

TEST_CASE("a batch of nothing is nothing") {
  const Resolution resolution = Run({}, {.head = 9});
  CHECK(resolution.outcomes.empty());
  CHECK(resolution.rows.events.empty());
}

}  // namespace
}  // namespace god33::sequence
