#include "services/event-store-manager/adoption.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "sequence/membership.h"

namespace god33::manager {
namespace {

using sequence::GroupKind;
using sequence::Membership;

constexpr int kMostChildren = 500;

constexpr pg::Statement kFindLate = {"find_late_parent", R"sql(
  SELECT position FROM late_parents WHERE position <= $1::bigint ORDER BY position LIMIT 1)sql"};

constexpr pg::Statement kLock = {"lock_log_for_adoption", "SELECT pg_advisory_xact_lock(33, 1)"};

// Gives the late parent's waiting children their edges and queues them.
constexpr pg::Statement kTakeOrphans = {"take_orphans", R"sql(
  WITH waiting AS (
    SELECT o.parent_id, o.child_position
    FROM late_parents AS l JOIN event_orphans AS o ON o.parent_id = l.event_id
    WHERE l.position = $1::bigint ORDER BY o.child_position LIMIT $2::integer),
  taken AS (
    DELETE FROM event_orphans AS o USING waiting AS w
    WHERE (o.parent_id, o.child_position) = (w.parent_id, w.child_position)
    RETURNING o.child_position),
  edges AS (
    INSERT INTO event_edges SELECT $1::bigint, child_position FROM taken ON CONFLICT DO NOTHING)
  INSERT INTO adoptions SELECT child_position FROM taken ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kTakeQueued = {"take_adoptions", R"sql(
  DELETE FROM adoptions WHERE child_position IN (
    SELECT child_position FROM adoptions ORDER BY child_position LIMIT $1::integer)
  RETURNING child_position)sql"};

constexpr pg::Statement kChildren = {"read_adopted_events", R"sql(
  SELECT position, event_type, workflow_id, collaboration_id, coalesce(project, ''), correlation_ids
  FROM events
  WHERE position = ANY($1::bigint[])
    AND recorded_at >= coalesce(
      (SELECT max(month) FROM log_months WHERE first_position <= $2::bigint), '-infinity')
  ORDER BY position)sql"};

// Memberships of events by id, and of events by position.
constexpr pg::Statement kParentMemberships = {"read_parent_memberships", R"sql(
  SELECT i.event_id, m.kind::text, m.group_id, m.inherited, coalesce(p.project, '')
  FROM event_ids AS i JOIN memberships AS m USING (position)
    LEFT JOIN workflow_projects AS p ON m.kind = 'w' AND p.workflow_id = m.group_id
  WHERE i.event_id = ANY($1::uuid[]) AND m.inherited
  ORDER BY i.event_id, m.kind, m.group_id)sql"};

constexpr pg::Statement kOwnMemberships = {"read_own_memberships", R"sql(
  SELECT position, kind::text, group_id, inherited FROM memberships
  WHERE position = ANY($1::bigint[]))sql"};

constexpr pg::Statement kJoin = {"join_groups", R"sql(
  INSERT INTO memberships (kind, group_id, position, since, inherited)
  SELECT kind::"char", grp, pos, since, inh
  FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[], $5::boolean[])
    AS t (kind, grp, pos, since, inh)
  ON CONFLICT (kind, group_id, position) DO UPDATE SET inherited = true)sql"};

constexpr pg::Statement kQueueChildren = {"queue_adoptions", R"sql(
  INSERT INTO adoptions SELECT DISTINCT child_position FROM event_edges
  WHERE parent_position = ANY($1::bigint[]) ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kSetProject = {"set_adopted_project", R"sql(
  UPDATE events AS e SET project = t.project
  FROM unnest($1::bigint[], $2::text[]) AS t (position, project)
  WHERE e.position = t.position AND e.project IS NULL
    AND e.recorded_at >= coalesce(
      (SELECT max(month) FROM log_months WHERE first_position <= $3::bigint), '-infinity'))sql"};

constexpr pg::Statement kFinish = {"finish_late_parent", R"sql(
  DELETE FROM late_parents AS l WHERE position = $1::bigint
    AND NOT EXISTS (SELECT FROM adoptions)
    AND NOT EXISTS (SELECT FROM event_orphans AS o WHERE o.parent_id = l.event_id))sql"};

// Makes look-ups stale that were made before this transaction.
constexpr pg::Statement kNewGeneration = {"new_generation",
                                          "UPDATE log_identity SET generation = generation + 1"};

struct Child {
  std::int64_t position = 0;
  std::string type;
  event::Facts facts;
  std::vector<Uuid> parents;
};

using ById = absl::flat_hash_map<Uuid, std::vector<Membership>>;
using ByPosition = absl::flat_hash_map<std::int64_t, std::vector<Membership>>;

GroupKind KindOf(std::string_view text) {
  return static_cast<GroupKind>(text[0]);
}

absl::StatusOr<std::vector<Child>> ReadChildren(pg::Connection& connection,
                                                const std::vector<std::int64_t>& positions) {
  pg::Array array(pg::Type::kInt8);
  for (const std::int64_t position : positions) array.Int8(position);
  const std::int64_t oldest = *std::min_element(positions.begin(), positions.end());
  const auto rows = connection.Query(kChildren, pg::Params().Array(std::move(array)).Int8(oldest));
  if (!rows.ok()) return rows.status();
  std::vector<Child> children;
  for (int i = 0; i < rows->rows(); ++i) {
    Child& child = children.emplace_back();
    child.position = rows->Int8(i, 0);
    child.type = rows->Bytes(i, 1);
    child.facts.workflow_id = rows->OptionalId(i, 2);
    child.facts.collaboration_id = rows->OptionalId(i, 3);
    child.facts.project = rows->Bytes(i, 4);
    child.parents = rows->Ids(i, 5);
  }
  return children;
}

absl::StatusOr<ById> ReadParentMemberships(pg::Connection& connection,
                                           const std::vector<Child>& children) {
  std::vector<Uuid> ids;
  for (const Child& child : children) {
    ids.insert(ids.end(), child.parents.begin(), child.parents.end());
  }
  const auto rows = connection.Query(kParentMemberships, pg::Params().Ids(ids));
  if (!rows.ok()) return rows.status();
  ById memberships;
  for (int i = 0; i < rows->rows(); ++i) {
    memberships[rows->Id(i, 0)].push_back({KindOf(rows->Bytes(i, 1)), rows->Id(i, 2),
                                           rows->Bool(i, 3), std::string(rows->Bytes(i, 4))});
  }
  return memberships;
}

absl::StatusOr<ByPosition> ReadOwnMemberships(pg::Connection& connection,
                                              const std::vector<std::int64_t>& positions) {
  pg::Array array(pg::Type::kInt8);
  for (const std::int64_t position : positions) array.Int8(position);
  const auto rows = connection.Query(kOwnMemberships, pg::Params().Array(std::move(array)));
  if (!rows.ok()) return rows.status();
  ByPosition memberships;
  for (int i = 0; i < rows->rows(); ++i) {
    memberships[rows->Int8(i, 0)].push_back(
        {KindOf(rows->Bytes(i, 1)), rows->Id(i, 2), rows->Bool(i, 3), std::string()});
  }
  return memberships;
}

bool HasAlready(const std::vector<Membership>& own, const Membership& wanted) {
  return std::any_of(own.begin(), own.end(), [&wanted](const Membership& present) {
    return present.kind == wanted.kind && present.group == wanted.group &&
           (present.inherited || !wanted.inherited);
  });
}

// What a batch of children gains.
class Gains {
 public:
  void Add(const Child& child, std::int64_t cause, const Membership& membership) {
    const char kind = static_cast<char>(membership.kind);
    kinds_.Text({&kind, 1});
    groups_.Id(membership.group);
    positions_.Int8(child.position);
    since_.Int8(std::max(cause, child.position));
    inherited_.Bool(membership.inherited);
  }

  void Changed(const Child& child, const std::string& project) {
    changed_.Int8(child.position);
    ++count_;
    if (!child.facts.project.empty() || project.empty()) return;
    owned_.Int8(child.position);
    projects_.Text(project);
  }

  int count() const { return count_; }

  absl::Status Write(pg::Connection& connection, std::int64_t oldest) && {
    if (count_ == 0) return absl::OkStatus();
    absl::Status status = connection
                              .Query(kJoin, pg::Params()
                                                .Array(std::move(kinds_))
                                                .Array(std::move(groups_))
                                                .Array(std::move(positions_))
                                                .Array(std::move(since_))
                                                .Array(std::move(inherited_)))
                              .status();
    if (status.ok()) {
      status = connection.Query(kQueueChildren, pg::Params().Array(std::move(changed_))).status();
    }
    if (status.ok() && owned_.size() > 0) {
      status =
          connection
              .Query(kSetProject,
                     pg::Params().Array(std::move(owned_)).Array(std::move(projects_)).Int8(oldest))
              .status();
    }
    return status;
  }

 private:
  int count_ = 0;
  pg::Array kinds_{pg::Type::kText}, groups_{pg::Type::kUuid}, positions_{pg::Type::kInt8},
      since_{pg::Type::kInt8}, inherited_{pg::Type::kBool}, changed_{pg::Type::kInt8},
      owned_{pg::Type::kInt8}, projects_{pg::Type::kText};
};

// Lets queued events join what they inherit now. Returns how many did.
absl::StatusOr<int> AdoptQueued(pg::Connection& connection, std::int64_t cause) {
  const auto queued = connection.Query(kTakeQueued, pg::Params().Int4(kMostChildren));
  if (!queued.ok()) return queued.status();
  if (queued->rows() == 0) return 0;
  std::vector<std::int64_t> positions;
  for (int i = 0; i < queued->rows(); ++i) positions.push_back(queued->Int8(i, 0));

  const auto children = ReadChildren(connection, positions);
  if (!children.ok()) return children.status();
  const auto of_parents = ReadParentMemberships(connection, *children);
  if (!of_parents.ok()) return of_parents.status();
  const auto own = ReadOwnMemberships(connection, positions);
  if (!own.ok()) return own.status();

  static const std::vector<Membership> kNone;
  Gains gains;
  for (const Child& child : *children) {
    std::vector<const std::vector<Membership>*> parents;
    for (const Uuid& parent : child.parents) {
      const auto found = of_parents->find(parent);
      if (found != of_parents->end()) parents.push_back(&found->second);
    }
    const sequence::Groups groups =
        sequence::GroupsOf(child.type, child.facts, child.facts.project, parents);
    const auto present = own->find(child.position);
    bool changed = false;
    for (const Membership& membership : groups.memberships) {
      if (HasAlready(present == own->end() ? kNone : present->second, membership)) continue;
      gains.Add(child, cause, membership);
      changed = true;
    }
    if (changed) gains.Changed(child, groups.project);
  }
  const int count = gains.count();
  const std::int64_t oldest = *std::min_element(positions.begin(), positions.end());
  if (absl::Status status = std::move(gains).Write(connection, oldest); !status.ok()) return status;
  return count;
}

}  // namespace

absl::StatusOr<std::optional<int>> AdoptStep(pg::Connection& connection, std::int64_t up_to) {
  const auto any = connection.Query(kFindLate, pg::Params().Int8(up_to));
  if (!any.ok()) return any.status();
  if (any->rows() == 0) return std::nullopt;

  auto transaction = pg::Transaction::Begin(connection);
  if (!transaction.ok()) return transaction.status();
  if (const auto locked = connection.Query(kLock); !locked.ok()) return locked.status();
  // Looked up again: a holder who has lost his lease may have waited here while the next one adopted, and
  // what is queued now belongs to another parent.
  const auto late = connection.Query(kFindLate, pg::Params().Int8(up_to));
  if (!late.ok()) return late.status();
  if (late->rows() == 0) return std::nullopt;
  const std::int64_t cause = late->Int8(0, 0);
  const auto taken = connection.Query(kTakeOrphans, pg::Params().Int8(cause).Int4(kMostChildren));
  if (!taken.ok()) return taken.status();
  const auto joined = AdoptQueued(connection, cause);
  if (!joined.ok()) return joined.status();
  if (const auto done = connection.Query(kFinish, pg::Params().Int8(cause)); !done.ok()) {
    return done.status();
  }
  if (const auto made = connection.Query(kNewGeneration); !made.ok()) return made.status();
  if (absl::Status status = std::move(*transaction).Commit(); !status.ok()) return status;
  return *joined;
}

}  // namespace god33::manager
