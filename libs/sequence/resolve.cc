#include "sequence/resolve.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "base/error.h"
#include "base/strings.h"
#include "event/digest.h"

namespace god33::sequence {
namespace {

// What is known, and what the units so far have added to it.
class Resolver {
 public:
  explicit Resolver(const Known& known) : known_(known), next_(known.head + 1) {}

  Outcome Add(const Unit& unit) {
    Outcome outcome;
    outcome.status = CheckDistinct(unit);
    if (!outcome.status.ok()) return outcome;
    std::size_t duplicates = 0;
    for (const NewEvent& event : unit.events) {
      const auto stored = Find(event.envelope.id);
      if (!stored) continue;
      if (!stored->IsSameAs(event) && !IsRetryWithin(event, stored->position)) {
        outcome.placed.clear();
        outcome.status = MakeError(
            absl::StatusCode::kAlreadyExists, "ID_CONFLICT",
            StrCat("event_id ", event.envelope.id.ToString(),
                   " is taken by an event with other content, at position ", stored->position),
            "event_id");
        return outcome;
      }
      ++duplicates;
      outcome.placed.push_back({stored->position, true});
    }
    if (duplicates == unit.events.size()) {
      if (unit.aggregate) outcome.aggregate_version = VersionOf(unit.aggregate->name);
      return outcome;
    }
    outcome.placed.clear();
    if (duplicates > 0) {
      outcome.status = MakeError(absl::StatusCode::kAborted, "PARTIAL_DUPLICATE",
                                 StrCat(duplicates, " of ", unit.events.size(),
                                        " events had been stored before; nothing was written"));
      return outcome;
    }
    if (unit.aggregate) {
      outcome.status = CheckVersion(*unit.aggregate);
      if (!outcome.status.ok()) return outcome;
    }
    for (const NewEvent& event : unit.events) outcome.placed.push_back({Place(event, unit), false});
    if (unit.aggregate) outcome.aggregate_version = VersionOf(unit.aggregate->name);
    return outcome;
  }

  Rows TakeRows() { return std::move(rows_); }

 private:
  static absl::Status CheckDistinct(const Unit& unit) {
    if (unit.events.size() == 1) return absl::OkStatus();
    absl::flat_hash_set<Uuid> seen;
    for (const NewEvent& event : unit.events) {
      if (!seen.insert(event.envelope.id).second) {
        return InvalidField("event_id", StrCat("expected distinct ids, got ",
                                               event.envelope.id.ToString(), " twice"));
      }
    }
    return absl::OkStatus();
  }

  std::optional<Known::Event> Find(const Uuid& id) const {
    if (const auto added = added_.find(id); added != added_.end()) return added->second;
    if (const auto stored = known_.events.find(id); stored != known_.events.end()) {
      return stored->second;
    }
    return std::nullopt;
  }

  // Whether an event whose time is ours is the same as one that came earlier in this batch, at `position`.
  bool IsRetryWithin(const NewEvent& event, std::int64_t position) const {
    if (!event.time_is_ours || position <= known_.head) return false;
    const auto& row = rows_.events[static_cast<std::size_t>(position - known_.head - 1)];
    event::Envelope envelope = event.envelope;
    envelope.time = row.event->envelope.time;
    return event::ContentDigest(envelope) == row.event->digest;
  }

  std::int64_t VersionOf(const std::string& aggregate) const {
    if (const auto moved = rows_.versions.find(aggregate); moved != rows_.versions.end()) {
      return moved->second;
    }
    const auto stored = known_.versions.find(aggregate);
    return stored == known_.versions.end() ? 0 : stored->second;
  }

  absl::Status CheckVersion(const Aggregate& aggregate) const {
    const std::int64_t version = VersionOf(aggregate.name);
    if (!aggregate.expected_version || *aggregate.expected_version == version) {
      return absl::OkStatus();
    }
    return MakeError(absl::StatusCode::kAborted, "VERSION_CONFLICT",
                     StrCat("aggregate ", aggregate.name, " has version ", version, ", expected ",
                            *aggregate.expected_version),
                     "expected_version");
  }

  // With the projects that earlier events of the batch made known.
  std::vector<Membership> MembershipsAt(std::int64_t position) const {
    const auto& memberships = position > known_.head ? added_memberships_ : known_.memberships;
    const auto found = memberships.find(position);
    if (found == memberships.end()) return {};
    std::vector<Membership> current = found->second;
    for (Membership& membership : current) {
      if (membership.kind == GroupKind::kWorkflow && membership.project.empty()) {
        membership.project = ProjectOf(membership.group);
      }
    }
    return current;
  }

  std::string ProjectOf(const std::optional<Uuid>& workflow) const {
    if (!workflow) return {};
    if (const auto added = added_projects_.find(*workflow); added != added_projects_.end()) {
      return added->second;
    }
    const auto stored = known_.projects.find(*workflow);
    return stored == known_.projects.end() ? std::string() : stored->second;
  }

  std::int64_t Place(const NewEvent& event, const Unit& unit) {
    const std::int64_t position = next_++;
    const event::Facts& facts = event.facts;

    std::vector<std::vector<Membership>> of_parents;
    for (const Uuid& parent : event.envelope.parents) {
      if (const auto stored = Find(parent)) {
        rows_.edges.push_back({stored->position, position});
        of_parents.push_back(MembershipsAt(stored->position));
      } else {
        rows_.orphans.push_back({parent, position});
        awaited_.insert(parent);
      }
    }
    const Uuid& id = event.envelope.id;
    if (known_.awaited.contains(id) || awaited_.contains(id)) {
      rows_.late_parents.push_back({position, id});
    }

    if (facts.workflow_id && !facts.project.empty() && ProjectOf(facts.workflow_id).empty()) {
      added_projects_[*facts.workflow_id] = facts.project;
      rows_.owned.push_back({*facts.workflow_id, facts.project, position});
    }
    std::vector<const std::vector<Membership>*> parents;
    parents.reserve(of_parents.size());
    for (const std::vector<Membership>& memberships : of_parents) parents.push_back(&memberships);
    Groups groups = GroupsOf(event.envelope.type, facts, ProjectOf(facts.workflow_id), parents);
    // As a look-up would give them, so that it makes no difference where a batch ends.
    std::sort(groups.memberships.begin(), groups.memberships.end(),
              [](const Membership& a, const Membership& b) {
                return std::tie(a.kind, a.group) < std::tie(b.kind, b.group);
              });
    for (const Membership& membership : groups.memberships) {
      rows_.members.push_back({position, membership});
    }

    Rows::EventRow row{.event = &event, .position = position, .project = std::move(groups.project)};
    if (unit.aggregate) {
      row.aggregate = unit.aggregate->name;
      row.aggregate_version = VersionOf(row.aggregate) + 1;
      rows_.versions[row.aggregate] = row.aggregate_version;
    }
    rows_.events.push_back(std::move(row));
    added_[id] = {position, event.digest};
    if (!groups.memberships.empty()) added_memberships_[position] = std::move(groups.memberships);
    return position;
  }

  const Known& known_;
  std::int64_t next_;
  Rows rows_;
  absl::flat_hash_map<Uuid, Known::Event> added_;
  absl::flat_hash_map<std::int64_t, std::vector<Membership>> added_memberships_;
  absl::flat_hash_map<Uuid, std::string> added_projects_;
  absl::flat_hash_set<Uuid> awaited_;
};

}  // namespace

NewEvent Prepare(event::Envelope envelope) {
  NewEvent event;
  event.facts = event::FactsOf(envelope);
  event.digest = event::ContentDigest(envelope);
  event.envelope = std::move(envelope);
  return event;
}

Resolution Resolve(const std::vector<const Unit*>& units, const Known& known) {
  Resolution resolution;
  Resolver resolver(known);
  resolution.outcomes.reserve(units.size());
  for (const Unit* unit : units) resolution.outcomes.push_back(resolver.Add(*unit));
  resolution.rows = resolver.TakeRows();
  return resolution;
}

}  // namespace god33::sequence
