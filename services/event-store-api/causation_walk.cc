#include "services/event-store-api/causation_walk.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/error.h"

namespace god33::api {
namespace {

using causation::Step;
using causation::Walk;

// The first levels, and wide ones, are read one by one: each edge once, and none beyond the last level.
// Narrow ones further down (long chains) are read many at a time, since each takes a round trip.
constexpr int kFirstLevels = 16;
constexpr std::size_t kWideLevel = 256;

// A level whose events stand at most so far apart, on average, is read by one scan.
constexpr std::size_t kMostSparse = 8;

// And if all within its bounds have at most so many neighbours for each of its events.
constexpr std::size_t kMostNeighbours = 64;

// How many steps of narrow levels are read at once: few at first, in case the end is near.
constexpr std::size_t kFewSteps = 1'024;
constexpr std::size_t kManySteps = 65'536;

// The children of the event `f`, up to $2: also those that are not joined yet with a parent that came
// late, so that an edge is seen from the moment its two ends are stored.
#define GOD33_CHILDREN_OF(f)                                \
  "(SELECT child_position AS position FROM event_edges "    \
  " WHERE parent_position = " f                             \
  ".position AND child_position <= $2::bigint "             \
  " UNION ALL "                                             \
  " SELECT o.child_position FROM late_parents AS l "        \
  "   JOIN event_orphans AS o ON o.parent_id = l.event_id " \
  " WHERE l.position = " f                                  \
  ".position AND o.child_position <= $2::bigint "           \
  "   AND (SELECT EXISTS (SELECT FROM late_parents))) AS t "

// The parents of the event `f`, up to $2, by the ids that it names. An edge by its child would need an
// index of its own, which every append would have to keep.
#define GOD33_PARENTS_OF(f)                                                            \
  "(SELECT i.position FROM (SELECT month FROM log_months "                             \
  "    WHERE first_position <= " f                                                     \
  ".position ORDER BY first_position DESC LIMIT 1) m "                                 \
  "  JOIN events AS e ON e.position = " f                                              \
  ".position "                                                                         \
  "    AND e.recorded_at >= m.month AND e.recorded_at < m.month + interval '1 month' " \
  "  CROSS JOIN LATERAL unnest(e.correlation_ids) AS p (id) "                          \
  "  JOIN event_ids AS i ON i.event_id = p.id "                                        \
  "  WHERE i.position <= $2::bigint) AS t "

// As arrays, because a row each costs far more. A position of 0: no neighbours.
#define GOD33_STEPS_FROM(f, neighbours)                                     \
  "SELECT array_agg(s.origin), array_agg(s.target) FROM ("                  \
  " SELECT f.position AS origin, coalesce(t.position, 0) AS target FROM " f \
  " LEFT JOIN LATERAL " neighbours " ON true LIMIT $3::bigint) AS s"

// The steps from the given events.
#define GOD33_LEVEL(neighbours) GOD33_STEPS_FROM("unnest($1::bigint[]) AS f (position)", neighbours)

// The steps from the given events and from what they lead to, level by level. UNION, so that an event is
// visited once: by UNION ALL there would be one for each path.
#define GOD33_LEVELS(neighbours_of_f, neighbours_of_r)                     \
  "WITH RECURSIVE reach (position) AS (SELECT unnest($1::bigint[]) UNION " \
  " SELECT t.position FROM reach AS r CROSS JOIN LATERAL " neighbours_of_r \
  ") " GOD33_STEPS_FROM("reach AS f", neighbours_of_f)

constexpr pg::Statement kDown = {"descend_level", GOD33_LEVEL(GOD33_CHILDREN_OF("f"))};
constexpr pg::Statement kFarDown = {"descend_levels",
                                    GOD33_LEVELS(GOD33_CHILDREN_OF("f"), GOD33_CHILDREN_OF("r"))};
// The steps from all events from $1 to $4, up to $2.
constexpr pg::Statement kRangeDown = {"descend_range", R"sql(
  SELECT array_agg(s.parent), array_agg(s.child) FROM (
    SELECT parent_position AS parent, child_position AS child FROM event_edges
    WHERE parent_position BETWEEN $1::bigint AND $4::bigint AND child_position <= $2::bigint
    UNION ALL
    SELECT l.position, o.child_position
    FROM late_parents AS l JOIN event_orphans AS o ON o.parent_id = l.event_id
    WHERE l.position BETWEEN $1::bigint AND $4::bigint AND o.child_position <= $2::bigint
    LIMIT $3::bigint) AS s)sql"};

constexpr pg::Statement kUp = {"ascend_level", GOD33_LEVEL(GOD33_PARENTS_OF("f"))};
constexpr pg::Statement kFarUp = {"ascend_levels",
                                  GOD33_LEVELS(GOD33_PARENTS_OF("f"), GOD33_PARENTS_OF("r"))};

pg::Array Positions(const std::vector<std::int64_t>& positions) {
  pg::Array array(pg::Type::kInt8);
  for (const std::int64_t position : positions) array.Int8(position);
  return array;
}

std::vector<Step> StepsOf(const pg::Result& rows) {
  const std::vector<std::int64_t> from = rows.Int8s(0, 0);
  const std::vector<std::int64_t> to = rows.Int8s(0, 1);
  std::vector<Step> steps(from.size());
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i] = {from[i], to[i]};
  return steps;
}

absl::StatusOr<std::vector<Step>> ReadSteps(pg::Connection& connection,
                                            const pg::Statement& statement,
                                            const std::vector<std::int64_t>& positions,
                                            std::int64_t head, std::size_t most) {
  const auto rows = connection.Query(
      statement,
      pg::Params().Array(Positions(positions)).Int8(head).Int8(static_cast<std::int64_t>(most)));
  if (!rows.ok()) return rows.status();
  return StepsOf(*rows);
}

class LogWalk {
 public:
  LogWalk(Reader& reader, pg::Connection& connection, const WalkLimits& limits)
      : reader_(reader),
        connection_(connection),
        limits_(limits),
        reach_{.walk = Walk(limits.root, limits.max_depth)} {}

  absl::StatusOr<Reach> Run() && {
    const std::int64_t deadline =
        MonotonicNanos() + absl::ToInt64Nanoseconds(reader_.query_timeout());
    while (!reach_.walk.over()) {
      if (MonotonicNanos() > deadline) return Reader::TooSlow();
      const bool far = reach_.walk.depth() >= kFirstLevels &&
                       reach_.walk.newest().size() < kWideLevel && Left() >= kFewSteps;
      auto moved = far ? GoFar() : down() ? GoDownByRange() : false;
      if (moved.ok() && !*moved) moved = GoOneLevel();
      if (!moved.ok()) return moved.status();
    }
    return std::move(reach_);
  }

 private:
  bool down() const { return limits_.direction == Direction::kDescendants; }
  std::size_t Left() const { return kMostEdges - reach_.walk.steps(); }

  std::vector<std::int64_t> Newest() const {
    std::vector<std::int64_t> positions;
    for (const causation::Node& node : reach_.walk.newest()) positions.push_back(node.position);
    return positions;
  }

  // False when what may be read at once does not even hold one level.
  absl::StatusOr<bool> GoFar() {
    const std::size_t most = std::min(chunk_, Left());
    chunk_ = std::min(chunk_ * 4, kManySteps);
    auto steps = ReadSteps(connection_, down() ? kFarDown : kFarUp, Newest(), limits_.head, most);
    if (!steps.ok()) return steps.status();
    if (steps->size() == most) {
      // There are more, perhaps from the last event, too.
      const std::int64_t last = steps->back().from;
      std::erase_if(*steps, [last](const Step& step) { return step.from == last; });
    }
    return reach_.walk.Extend(*std::move(steps)) > 0;
  }

  // Where the level's events stand close together, one scan over all of them is many times faster than
  // looking for each. False when they don't, or when others among them have too many children.
  absl::StatusOr<bool> GoDownByRange() {
    const std::vector<std::int64_t> newest = Newest();
    const auto span = static_cast<std::size_t>(newest.back() - newest.front());
    if (newest.size() < kWideLevel || span / kMostSparse > newest.size()) return false;
    const std::size_t most = std::min(Left(), kMostNeighbours * newest.size()) + 1;
    const auto rows = connection_.Query(kRangeDown, pg::Params()
                                                        .Int8(newest.front())
                                                        .Int8(limits_.head)
                                                        .Int8(static_cast<std::int64_t>(most))
                                                        .Int8(newest.back()));
    if (!rows.ok()) return rows.status();
    std::vector<Step> found = StepsOf(*rows);
    if (found.size() == most) return false;
    if (!std::is_sorted(found.begin(), found.end())) std::sort(found.begin(), found.end());
    std::vector<Step> steps;
    auto at = found.cbegin();
    for (const std::int64_t from : newest) {
      while (at != found.cend() && at->from < from) ++at;
      if (at == found.cend() || at->from != from) steps.push_back({from, 0});
      for (; at != found.cend() && at->from == from; ++at) steps.push_back(*at);
    }
    reach_.walk.Extend(std::move(steps));
    return true;
  }

  absl::StatusOr<bool> GoOneLevel() {
    const std::vector<std::int64_t> newest = Newest();
    // Each event may have no neighbours, which also is a row; so one more than this is too many.
    const std::size_t most = Left() + newest.size() + 1;
    auto steps = ReadSteps(connection_, down() ? kDown : kUp, newest, limits_.head, most);
    if (!steps.ok()) return steps.status();
    const auto edges = static_cast<std::size_t>(
        std::count_if(steps->begin(), steps->end(), [](const Step& step) { return step.to != 0; }));
    if (edges > Left()) {
      CutTo(Left(), *steps);
      reach_.walk.Finish(*std::move(steps));
      reach_.truncated = true;
    } else {
      reach_.walk.Extend(*std::move(steps));
    }
    return true;
  }

  static void CutTo(std::size_t most, std::vector<Step>& steps) {
    std::erase_if(steps, [](const Step& step) { return step.to == 0; });
    steps.resize(most);
  }

  Reader& reader_;
  pg::Connection& connection_;
  const WalkLimits limits_;
  Reach reach_;
  std::size_t chunk_ = kFewSteps;
};

}  // namespace

absl::StatusOr<Reach> WalkLog(Reader& reader, pg::Connection& connection,
                              const WalkLimits& limits) {
  return LogWalk(reader, connection, limits).Run();
}

absl::StatusOr<std::vector<Step>> ReadParents(pg::Connection& connection,
                                              const std::vector<std::int64_t>& positions,
                                              std::int64_t head, std::size_t most) {
  return ReadSteps(connection, kUp, positions, head, most);
}

}  // namespace god33::api
