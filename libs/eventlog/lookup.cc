#include "eventlog/lookup.h"

#include <deque>
#include <utility>
#include <vector>

#include "event/digest.h"

namespace god33::eventlog {
namespace {

using sequence::GroupKind;
using sequence::Known;
using sequence::NewEvent;
using sequence::Unit;

// The head comes first: what the others see beyond it makes the write fail its check, and be
// retried.
constexpr pg::Statement kHead = {"log_head", R"sql(
  SELECT coalesce((SELECT max(position) FROM event_ids), 0), generation FROM log_identity)sql"};

constexpr pg::Statement kEvents = {"find_event_ids", R"sql(
  SELECT event_id, position, digest FROM event_ids WHERE event_id = ANY($1::uuid[]))sql"};

constexpr pg::Statement kMemberships = {"find_memberships", R"sql(
  SELECT m.position, m.kind::text, m.group_id, m.inherited, coalesce(p.project, '')
  FROM event_ids AS i JOIN memberships AS m USING (position)
    LEFT JOIN workflow_projects AS p ON m.kind = 'w' AND p.workflow_id = m.group_id
  WHERE i.event_id = ANY($1::uuid[])
  ORDER BY m.position, m.kind, m.group_id)sql"};

constexpr pg::Statement kProjects = {"find_workflow_projects", R"sql(
  SELECT workflow_id, project FROM workflow_projects WHERE workflow_id = ANY($1::uuid[]))sql"};

constexpr pg::Statement kAwaited = {"find_awaited_parents", R"sql(
  SELECT DISTINCT parent_id FROM event_orphans WHERE parent_id = ANY($1::uuid[]))sql"};

constexpr pg::Statement kVersions = {"find_aggregate_versions", R"sql(
  SELECT aggregate, version FROM aggregates WHERE aggregate = ANY($1::text[]))sql"};

constexpr pg::Statement kTimes = {"find_event_times", R"sql(
  SELECT e.event_id, e."timestamp" FROM event_ids AS i JOIN events AS e USING (position)
  WHERE i.event_id = ANY($1::uuid[]))sql"};

// For events that are stored already and whose time is ours: what their digest is with the stored time.
absl::Status AddRetryDigests(pg::Connection& connection, const std::vector<const Unit*>& units,
                             Known& known) {
  absl::flat_hash_map<Uuid, const NewEvent*> retried;
  std::vector<Uuid> ids;
  for (const Unit* unit : units) {
    for (const NewEvent& event : unit->events) {
      if (!event.time_is_ours || !known.events.contains(event.envelope.id)) continue;
      retried[event.envelope.id] = &event;
      ids.push_back(event.envelope.id);
    }
  }
  if (ids.empty()) return absl::OkStatus();
  const auto times = connection.Query(kTimes, pg::Params().Ids(ids));
  if (!times.ok()) return times.status();
  for (int i = 0; i < times->rows(); ++i) {
    event::Envelope envelope = retried[times->Id(i, 0)]->envelope;
    envelope.time = times->Time(i, 1);
    known.events[envelope.id].retry_digest = event::ContentDigest(envelope);
  }
  return absl::OkStatus();
}

void ReadHead(const pg::Result& head, Known& known) {
  known.head = head.Int8(0, 0);
  known.generation = head.Int8(0, 1);
}

void ReadEvents(const pg::Result& events, Known& known) {
  for (int i = 0; i < events.rows(); ++i) {
    known.events[events.Id(i, 0)] = {events.Int8(i, 1), events.Id(i, 2)};
  }
}

void ReadMemberships(const pg::Result& memberships, Known& known) {
  for (int i = 0; i < memberships.rows(); ++i) {
    known.memberships[memberships.Int8(i, 0)].push_back(
        {static_cast<GroupKind>(memberships.Bytes(i, 1)[0]), memberships.Id(i, 2),
         memberships.Bool(i, 3), std::string(memberships.Bytes(i, 4))});
  }
}

void ReadProjects(const pg::Result& projects, Known& known) {
  for (int i = 0; i < projects.rows(); ++i) {
    known.projects[projects.Id(i, 0)] = projects.Bytes(i, 1);
  }
}

void ReadAwaited(const pg::Result& awaited, Known& known) {
  for (int i = 0; i < awaited.rows(); ++i) known.awaited.insert(awaited.Id(i, 0));
}

void ReadVersions(const pg::Result& versions, Known& known) {
  for (int i = 0; i < versions.rows(); ++i) {
    known.versions[std::string(versions.Bytes(i, 0))] = versions.Int8(i, 1);
  }
}

// Statements that go to the server together, and what becomes of their answers.
class Questions {
 public:
  using Read = void (*)(const pg::Result& answer, Known& known);

  void Add(const pg::Statement& statement, pg::Params params, Read read) {
    params_.push_back(std::move(params));
    commands_.push_back({statement, params_.back()});
    reads_.push_back(read);
  }

  // Left out when there is nothing to ask for.
  void AddKeys(const pg::Statement& statement, pg::Array keys, Read read) {
    if (keys.size() > 0) Add(statement, std::move(pg::Params().Array(std::move(keys))), read);
  }

  absl::StatusOr<Known> Ask(pg::Connection& connection) const {
    const auto answers = connection.QueryAll(commands_);
    if (!answers.ok()) return answers.status();
    Known known;
    for (std::size_t i = 0; i < reads_.size(); ++i) reads_[i]((*answers)[i], known);
    return known;
  }

 private:
  std::deque<pg::Params> params_;  // addresses stay valid
  std::vector<pg::Connection::Command> commands_;
  std::vector<Read> reads_;
};

}  // namespace

absl::StatusOr<Known> LookUp(pg::Connection& connection, const std::vector<const Unit*>& units) {
  pg::Array all(pg::Type::kUuid), own(pg::Type::kUuid), parents(pg::Type::kUuid),
      workflows(pg::Type::kUuid), aggregates(pg::Type::kText);
  for (const Unit* unit : units) {
    if (unit->aggregate) aggregates.Text(unit->aggregate->name);
    for (const NewEvent& event : unit->events) {
      all.Id(event.envelope.id);
      own.Id(event.envelope.id);
      for (const Uuid& parent : event.envelope.parents) {
        all.Id(parent);
        parents.Id(parent);
      }
      if (event.facts.workflow_id) workflows.Id(*event.facts.workflow_id);
    }
  }
  Questions questions;
  questions.Add(kHead, pg::Params(), ReadHead);
  questions.AddKeys(kEvents, std::move(all), ReadEvents);
  questions.AddKeys(kMemberships, std::move(parents), ReadMemberships);
  questions.AddKeys(kProjects, std::move(workflows), ReadProjects);
  questions.AddKeys(kAwaited, std::move(own), ReadAwaited);
  questions.AddKeys(kVersions, std::move(aggregates), ReadVersions);
  auto known = questions.Ask(connection);
  if (!known.ok()) return known.status();
  if (absl::Status status = AddRetryDigests(connection, units, *known); !status.ok()) return status;
  return known;
}

absl::StatusOr<absl::flat_hash_map<Uuid, Known::Event>> FindStored(pg::Connection& connection,
                                                                   const std::vector<Uuid>& ids) {
  const auto events = connection.Query(kEvents, pg::Params().Ids(ids));
  if (!events.ok()) return events.status();
  Known known;
  ReadEvents(*events, known);
  return std::move(known.events);
}

}  // namespace god33::eventlog
