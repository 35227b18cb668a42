#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/strings.h"
#include "sequence/resolve.h"
#include "testing/fake_ids.h"
#include "testing/random.h"
#include "unit/printers.h"

// Random histories, resolved in random batches, against a log that knows no batches: it looks at one
// unit after the other with nothing but the rules.

namespace god33::sequence {
namespace {

using testing::FakeId;
using testing::Random;

using MemberKey = std::tuple<std::int64_t, char, Uuid>;  // position, kind, group

// What the rows say, in a form that has no order where the rows promise none.
struct Written {
  std::vector<Uuid> events;  // by position, from 1
  std::map<std::int64_t, std::string> projects;
  std::map<std::int64_t, std::pair<std::string, std::int64_t>> aggregates;
  std::set<std::pair<std::int64_t, std::int64_t>> edges;
  std::set<std::pair<Uuid, std::int64_t>> orphans;
  std::set<std::pair<std::int64_t, Uuid>> late_parents;
  std::map<MemberKey, bool> members;
  std::map<Uuid, std::pair<std::string, std::int64_t>> owned;
};

class Oracle {
 public:
  struct Stored {
    std::int64_t position;
    Uuid digest;
  };

  std::string Add(const Unit& unit, std::vector<Placed>& placed) {
    std::set<Uuid> ids;
    std::size_t known = 0;
    for (const NewEvent& event : unit.events) {
      if (!ids.insert(event.envelope.id).second) return "INVALID_ARGUMENT";
    }
    for (const NewEvent& event : unit.events) {
      const auto found = stored.find(event.envelope.id);
      if (found == stored.end()) continue;
      if (found->second.digest != event.digest) return "ID_CONFLICT";
      ++known;
    }
    if (known != 0 && known != unit.events.size()) return "PARTIAL_DUPLICATE";
    if (known != 0) {
      for (const NewEvent& event : unit.events) {
        placed.push_back({stored.at(event.envelope.id).position, true});
      }
      return "OK";
    }
    if (unit.aggregate && unit.aggregate->expected_version &&
        *unit.aggregate->expected_version != versions[unit.aggregate->name]) {
      return "VERSION_CONFLICT";
    }
    for (const NewEvent& event : unit.events) placed.push_back({Place(event, unit), false});
    return "OK";
  }

  std::vector<Membership> MembershipsAt(std::int64_t position) const {
    std::vector<Membership> memberships;
    for (const auto& [key, inherited] : written.members) {
      const auto& [at, kind, group] = key;
      if (at != position) continue;
      const bool workflow = kind == 'w';
      memberships.push_back({static_cast<GroupKind>(kind), group, inherited,
                             workflow ? ProjectOf(group) : std::string()});
    }
    return memberships;
  }

  std::string ProjectOf(const Uuid& workflow) const {
    const auto found = written.owned.find(workflow);
    return found == written.owned.end() ? std::string() : found->second.first;
  }

  Written written;
  std::map<Uuid, Stored> stored;
  std::map<std::string, std::int64_t> versions;

 private:
  std::int64_t Place(const NewEvent& event, const Unit& unit) {
    const event::Facts& facts = event.facts;
    written.events.push_back(event.envelope.id);
    const auto position = static_cast<std::int64_t>(written.events.size());
    for (const auto& [parent, child] : written.orphans) {
      if (parent == event.envelope.id) written.late_parents.insert({position, parent});
    }
    std::vector<std::int64_t> parents;
    for (const Uuid& parent : event.envelope.parents) {
      const auto found = stored.find(parent);
      if (found == stored.end()) {
        written.orphans.insert({parent, position});
      } else {
        written.edges.insert({found->second.position, position});
        parents.push_back(found->second.position);
      }
    }
    stored[event.envelope.id] = {position, event.digest};
    if (facts.workflow_id && !facts.project.empty()) {
      written.owned.try_emplace(*facts.workflow_id, facts.project, position);
    }
    Join(event, position, parents);
    if (unit.aggregate) {
      written.aggregates[position] = {unit.aggregate->name, ++versions[unit.aggregate->name]};
    }
    return position;
  }

  void Join(const NewEvent& event, std::int64_t position,
            const std::vector<std::int64_t>& parents) {
    const event::Facts& facts = event.facts;
    std::vector<Membership> heritage;
    for (const std::int64_t parent : parents) {
      for (const Membership& membership : MembershipsAt(parent)) {
        if (membership.inherited) heritage.push_back(membership);
      }
    }
    std::string project = facts.project;
    if (facts.workflow_id) {
      written.members[{position, 'w', *facts.workflow_id}] = true;
      if (project.empty()) project = ProjectOf(*facts.workflow_id);
    } else {
      for (const Membership& membership : heritage) {
        if (project.empty()) project = membership.project;
      }
      for (const Membership& membership : heritage) {
        const bool fits = membership.project.empty() || membership.project == project;
        if (membership.kind == GroupKind::kWorkflow && fits) {
          written.members[{position, 'w', membership.group}] = true;
        }
      }
    }
    for (const Membership& membership : heritage) {
      if (membership.kind == GroupKind::kCollaboration) {
        written.members[{position, 'c', membership.group}] = true;
      }
    }
    if (facts.collaboration_id) {
      written.members[{position, 'c', *facts.collaboration_id}] |=
          event.envelope.type == "agent.collaboration.started";
    }
    written.projects[position] = project;
  }
};

struct Limits {
  std::size_t events = 30;
  bool parents_first = false;
  bool projects = true;
};

std::vector<NewEvent> RandomEvents(Random& random, const Limits& limits) {
  std::vector<NewEvent> events;
  for (std::uint64_t i = 1; i <= limits.events; ++i) {
    event::Envelope envelope;
    envelope.id = FakeId(i);
    envelope.type = random.OneIn(6) ? "agent.collaboration.started" : "a.b";
    std::string payload = StrCat("{\"n\":", i);
    if (random.OneIn(4)) {
      StrAppend(&payload, ",\"workflow_id\":\"", FakeId(1000 + random.Below(4)).ToString(), "\"");
    }
    if (limits.projects && random.OneIn(4)) {
      StrAppend(&payload, ",\"project_name\":\"p", random.Below(2), "\"");
    }
    if (random.OneIn(5)) {
      StrAppend(&payload, ",\"collaboration_id\":\"", FakeId(2000 + random.Below(3)).ToString(),
                "\"");
    }
    envelope.payload = payload + "}";
    std::set<std::uint64_t> parents;
    for (std::size_t n = random.Below(4); n > 0; --n) {
      // Some parents never come.
      const std::uint64_t most = limits.parents_first ? i - 1 : limits.events + 3;
      if (most > 0) parents.insert(1 + random.Below(most));
    }
    parents.erase(i);
    for (const std::uint64_t parent : parents) envelope.parents.push_back(FakeId(parent));
    random.Shuffle(envelope.parents);
    events.push_back(Prepare(std::move(envelope)));
  }
  return events;
}

// The events, some of them together, some again, some again with other content.
std::vector<Unit> RandomUnits(Random& random, const std::vector<NewEvent>& events) {
  std::vector<Unit> units;
  const auto aggregate = [&random]() -> std::optional<Aggregate> {
    if (!random.OneIn(3)) return std::nullopt;
    Aggregate chosen{.name = StrCat("task/", FakeId(random.Below(2)).ToString())};
    if (random.OneIn(2)) chosen.expected_version = random.Between(0, 4);
    return chosen;
  };
  for (std::size_t i = 0; i < events.size();) {
    Unit unit{.aggregate = aggregate()};
    for (std::size_t n = 1 + random.Below(3); n > 0 && i < events.size(); --n) {
      unit.events.push_back(events[i++]);
    }
    units.push_back(unit);
    if (random.OneIn(3)) {
      Unit again = random.Pick(units);
      random.Shuffle(again.events);
      units.push_back(std::move(again));
    }
    if (random.OneIn(6)) {
      Unit mixed{.events = {events[random.Below(i)]}};
      if (random.OneIn(2)) mixed.events.push_back(random.Pick(events));
      units.push_back(std::move(mixed));
    }
    if (random.OneIn(6)) {
      event::Envelope other = events[random.Below(i)].envelope;
      other.version = "other";
      units.push_back({.events = {Prepare(std::move(other))}});
    }
  }
  return units;
}

// What a look-up finds for the batch, and no more than that.
Known LookUp(const Oracle& log, const std::vector<const Unit*>& batch) {
  Known known;
  known.head = static_cast<std::int64_t>(log.written.events.size());
  const auto add_event = [&](const Uuid& id) {
    const auto found = log.stored.find(id);
    if (found != log.stored.end())
      known.events[id] = {found->second.position, found->second.digest};
  };
  for (const Unit* unit : batch) {
    if (unit->aggregate && log.versions.contains(unit->aggregate->name) &&
        log.versions.at(unit->aggregate->name) > 0) {
      known.versions[unit->aggregate->name] = log.versions.at(unit->aggregate->name);
    }
    for (const NewEvent& event : unit->events) {
      add_event(event.envelope.id);
      for (const auto& [parent, child] : log.written.orphans) {
        if (parent == event.envelope.id) known.awaited.insert(parent);
      }
      for (const Uuid& parent : event.envelope.parents) {
        add_event(parent);
        const auto found = log.stored.find(parent);
        if (found == log.stored.end()) continue;
        auto memberships = log.MembershipsAt(found->second.position);
        if (!memberships.empty())
          known.memberships[found->second.position] = std::move(memberships);
      }
      if (event.facts.workflow_id) {
        const std::string project = log.ProjectOf(*event.facts.workflow_id);
        if (!project.empty()) known.projects[*event.facts.workflow_id] = project;
      }
    }
  }
  return known;
}

void Collect(const Rows& rows, Written& written) {
  for (const Rows::EventRow& row : rows.events) {
    written.events.push_back(row.event->envelope.id);
    REQUIRE(row.position == static_cast<std::int64_t>(written.events.size()));
    written.projects[row.position] = row.project;
    if (!row.aggregate.empty()) {
      written.aggregates[row.position] = {row.aggregate, row.aggregate_version};
    }
  }
  for (const Rows::Edge& edge : rows.edges) {
    REQUIRE(written.edges.insert({edge.parent, edge.child}).second);
  }
  for (const Rows::Orphan& orphan : rows.orphans) {
    REQUIRE(written.orphans.insert({orphan.parent, orphan.child}).second);
  }
  for (const Rows::LateParent& late : rows.late_parents) {
    REQUIRE(written.late_parents.insert({late.position, late.id}).second);
  }
  for (const Rows::Member& member : rows.members) {
    const Membership& m = member.membership;
    REQUIRE(
        written.members
            .emplace(MemberKey{member.position, static_cast<char>(m.kind), m.group}, m.inherited)
            .second);
  }
  for (const Rows::Owned& owned : rows.owned) {
    REQUIRE(written.owned.emplace(owned.workflow, std::pair(owned.project, owned.position)).second);
  }
}

TEST_CASE("any history in any batches becomes what one unit after the other would") {
  std::map<std::string, int> outcomes;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const std::vector<NewEvent> events = RandomEvents(random, {});
    const std::vector<Unit> units = RandomUnits(random, events);
    Oracle log;
    Written written;
    for (std::size_t i = 0; i < units.size();) {
      std::vector<const Unit*> batch;
      for (std::size_t n = 1 + random.Below(10); n > 0 && i < units.size(); --n) {
        batch.push_back(&units[i++]);
      }
      const Resolution resolution = Resolve(batch, LookUp(log, batch));
      REQUIRE(resolution.outcomes.size() == batch.size());
      for (std::size_t j = 0; j < batch.size(); ++j) {
        std::vector<Placed> placed;
        const std::string expected = log.Add(*batch[j], placed);
        const Outcome& outcome = resolution.outcomes[j];
        ++outcomes[expected];
        REQUIRE((outcome.status.ok() ? "OK" : ReasonOf(outcome.status)) == expected);
        REQUIRE(outcome.placed.size() == placed.size());
        for (std::size_t k = 0; k < placed.size(); ++k) {
          REQUIRE(outcome.placed[k].position == placed[k].position);
          REQUIRE(outcome.placed[k].duplicate == placed[k].duplicate);
        }
        REQUIRE(outcome.aggregate_version.has_value() ==
                (outcome.status.ok() && batch[j]->aggregate.has_value()));
      }
      for (const auto& [name, version] : resolution.rows.versions) {
        REQUIRE(version == log.versions.at(name));
      }
      Collect(resolution.rows, written);
    }
    REQUIRE(written.events == log.written.events);
    REQUIRE(written.edges == log.written.edges);
    REQUIRE(written.orphans == log.written.orphans);
    REQUIRE(written.late_parents == log.written.late_parents);
    REQUIRE(written.owned == log.written.owned);
    REQUIRE(written.aggregates == log.written.aggregates);
    REQUIRE(written.members == log.written.members);
    REQUIRE(written.projects == log.written.projects);
  }
  for (const char* reason :
       {"OK", "ID_CONFLICT", "PARTIAL_DUPLICATE", "INVALID_ARGUMENT", "VERSION_CONFLICT"}) {
    CAPTURE(reason);
    CHECK(outcomes[reason] > 100);
  }
}

TEST_CASE("when parents come first, memberships are the fixpoint of inheriting them") {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const std::vector<NewEvent> events =
        RandomEvents(random, {.events = 40, .parents_first = true, .projects = false});
    std::vector<Unit> units;
    units.reserve(events.size());
    for (const NewEvent& event : events) units.push_back({.events = {event}});
    std::vector<const Unit*> batch;
    batch.reserve(units.size());
    for (const Unit& unit : units) batch.push_back(&unit);
    Written written;
    Collect(Resolve(batch, {}).rows, written);

    // From what the payloads say, until nothing more comes down.
    std::map<MemberKey, bool> members;
    for (std::size_t i = 0; i < events.size(); ++i) {
      const auto position = static_cast<std::int64_t>(i) + 1;
      const event::Facts& facts = events[i].facts;
      if (facts.workflow_id) members[{position, 'w', *facts.workflow_id}] = true;
      if (facts.collaboration_id) {
        members[{position, 'c', *facts.collaboration_id}] =
            events[i].envelope.type == "agent.collaboration.started";
      }
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& [key, inherited] : std::map(members)) {
        const auto& [parent, kind, group] = key;
        if (!inherited) continue;
        for (std::size_t i = 0; i < events.size(); ++i) {
          const auto& parents = events[i].envelope.parents;
          const Uuid& id = events[static_cast<std::size_t>(parent) - 1].envelope.id;
          if (std::find(parents.begin(), parents.end(), id) == parents.end()) continue;
          if (kind == 'w' && events[i].facts.workflow_id) continue;
          bool& mine = members[{static_cast<std::int64_t>(i) + 1, kind, group}];
          changed = changed || !mine;
          mine = true;
        }
      }
    }
    REQUIRE(written.members == members);
    // Every parent was there: no orphans, and one edge for each.
    REQUIRE(written.orphans.empty());
    REQUIRE(written.late_parents.empty());
    std::size_t parents = 0;
    for (const NewEvent& event : events) parents += event.envelope.parents.size();
    REQUIRE(written.edges.size() == parents);
  }
}

}  // namespace
}  // namespace god33::sequence
