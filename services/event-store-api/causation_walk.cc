#include "services/event-store-api/causation_walk.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/error.h"

namespace god33::api {
namespace {

using causation::Step;
using causation::Walk;

// The first levels, wide ones, and the last before max_depth are read one by one: none beyond the last
// level. Narrow ones further down (long chains) are read many at a time, since each takes a round trip.
constexpr int kFirstLevels = 3;
constexpr int kLastLevels = 8;
constexpr std::size_t kWideLevel = 256;

// A wide level whose events stand at most so far apart, on average, is read by one scan, as far as so
// many steps for each of its events go.
constexpr std::int64_t kMostSparse = 8;
constexpr std::size_t kMostNeighbours = 64;

// What follows from an event is mostly stored soon after it: below a narrow level one scan over so many
// positions and steps is tried first, and again as long as it led at least kFirstLevels further.
constexpr std::int64_t kAhead = 2'048;

// How many steps of narrow levels are read at once: few at first, in case the end is near.
constexpr std::size_t kFewSteps = 1'024;
constexpr std::size_t kManySteps = 65'536;

// The children of the event `f`, up to $2, but for those of parents that came late.
// OFFSET keeps the planner from joining whole tables instead of looking for each event.
#define GOD33_JOINED_CHILDREN_OF(f)                      \
  "(SELECT child_position AS position FROM event_edges " \
  " WHERE parent_position = " f ".position AND child_position <= $2::bigint OFFSET 0) AS t "

#define GOD33_LATE_PARENTS "(SELECT EXISTS (SELECT FROM late_parents))"

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
  "   AND " GOD33_LATE_PARENTS ") AS t "

// The parents of the event `f`, up to $2, by the ids that it names. An edge by its child would need an
// index of its own, which every append would have to keep. OFFSET keeps the steps from one event together.
#define GOD33_PARENTS_OF(f)                                                            \
  "(SELECT i.position FROM (SELECT month FROM log_months "                             \
  "    WHERE first_position <= " f                                                     \
  ".position ORDER BY first_position DESC LIMIT 1) m "                                 \
  "  JOIN events AS e ON e.position = " f                                              \
  ".position "                                                                         \
  "    AND e.recorded_at >= m.month AND e.recorded_at < m.month + interval '1 month' " \
  "  CROSS JOIN LATERAL unnest(e.correlation_ids) AS p (id) "                          \
  "  JOIN event_ids AS i ON i.event_id = p.id "                                        \
  "  WHERE i.position <= $2::bigint OFFSET 0) AS t "

// The steps from the given events, as arrays, because a row each costs far more. A position of 0: no
// neighbours.
#define GOD33_LEVEL(neighbours_of_f)                                              \
  "SELECT array_agg(s.origin), array_agg(s.position) FROM ("                      \
  " SELECT f.position AS origin, coalesce(t.position, 0) AS position "            \
  " FROM unnest($1::bigint[]) AS f (position) LEFT JOIN LATERAL " neighbours_of_f \
  " ON true LIMIT $3::bigint) AS s"

// The steps from the given events and from what they lead to, level by level, those from one event next
// to each other. UNION, so that a step is taken once: by UNION ALL it would be once for each path. The
// given events stand in front as steps from 0.
#define GOD33_LEVELS(neighbours_of_f, late)                               \
  "WITH RECURSIVE reach (origin, position) AS ("                          \
  " SELECT 0::bigint, unnest($1::bigint[]) "                              \
  " UNION SELECT f.position, coalesce(t.position, 0) "                    \
  " FROM (SELECT DISTINCT position FROM reach WHERE position <> 0) AS f " \
  " LEFT JOIN LATERAL " neighbours_of_f                                   \
  " ON true) "                                                            \
  "SELECT array_agg(s.origin), array_agg(s.position), " late              \
  " FROM (SELECT * FROM reach WHERE origin <> 0 LIMIT $3::bigint) AS s"

constexpr pg::Statement kDown = {"descend_level", GOD33_LEVEL(GOD33_CHILDREN_OF("f"))};
constexpr pg::Statement kFarDownWithLate = {"descend_levels_with_late",
                                            GOD33_LEVELS(GOD33_CHILDREN_OF("f"), "false")};
// In what follows, the third column says that there are late parents, so children may be missing.
constexpr pg::Statement kFarDown = {
    "descend_levels", GOD33_LEVELS(GOD33_JOINED_CHILDREN_OF("f"), GOD33_LATE_PARENTS)};
// The steps from all events from $1 to $4, up to $2, in their order; without a position of 0.
constexpr pg::Statement kRangeDown = {
    "descend_range",
    "SELECT array_agg(s.parent_position), array_agg(s.child_position), " GOD33_LATE_PARENTS
    " FROM (SELECT parent_position, child_position FROM event_edges"
    " WHERE parent_position BETWEEN $1::bigint AND $4::bigint AND child_position <= $2::bigint"
    " ORDER BY parent_position, child_position LIMIT $3::bigint) AS s"};

constexpr pg::Statement kUp = {"ascend_level", GOD33_LEVEL(GOD33_PARENTS_OF("f"))};
constexpr pg::Statement kFarUp = {"ascend_levels", GOD33_LEVELS(GOD33_PARENTS_OF("f"), "false")};

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

absl::StatusOr<pg::Result> Ask(pg::Connection& connection, const pg::Statement& statement,
                               const std::vector<std::int64_t>& positions, std::int64_t head,
                               std::size_t most) {
  return connection.Query(
      statement,
      pg::Params().Array(Positions(positions)).Int8(head).Int8(static_cast<std::int64_t>(most)));
}

absl::StatusOr<std::vector<Step>> ReadLevel(pg::Connection& connection,
                                            const pg::Statement& statement,
                                            const std::vector<std::int64_t>& positions,
                                            std::int64_t head, std::size_t most) {
  const auto rows = Ask(connection, statement, positions, head, most);
  if (!rows.ok()) return rows.status();
  return StepsOf(*rows);
}

absl::StatusOr<std::vector<Step>> ReadLevels(pg::Connection& connection, bool down,
                                             const std::vector<std::int64_t>& positions,
                                             std::int64_t head, std::size_t most) {
  auto rows = Ask(connection, down ? kFarDown : kFarUp, positions, head, most);
  if (rows.ok() && rows->Bool(0, 2)) {
    rows = Ask(connection, kFarDownWithLate, positions, head, most);
  }
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
      auto moved = down() ? GoDownByRange() : false;
      if (moved.ok() && !*moved) moved = GoFar();
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

  bool Wide() const { return reach_.walk.newest().size() >= kWideLevel; }
  bool First() const { return reach_.walk.depth() < kFirstLevels; }

  // Many levels at once, wherever their events are. False when the level isn't one for that, or what may
  // be read at once does not even hold it.
  absl::StatusOr<bool> GoFar() {
    if (First() || Wide() || limits_.max_depth - reach_.walk.depth() <= kLastLevels ||
        Left() < kFewSteps) {
      return false;
    }
    const std::size_t most = std::min(chunk_, Left());
    chunk_ = std::min(chunk_ * 4, kManySteps);
    auto steps = ReadLevels(connection_, down(), Newest(), limits_.head, most);
    if (!steps.ok()) return steps.status();
    if (steps->size() == most) {
      // There are more, perhaps from the last event, too.
      const std::int64_t last = steps->back().from;
      std::erase_if(*steps, [last](const Step& step) { return step.from == last; });
    }
    return reach_.walk.Extend(*std::move(steps)) > 0;
  }

  // Where events stand close together, one scan over all of them is many times faster than looking for
  // each. False when they don't, or when others among them have too many children.
  absl::StatusOr<bool> GoDownByRange() {
    const bool wide = Wide();
    if (!wide && (First() || !ahead_)) return false;
    const std::span<const causation::Node> newest = reach_.walk.newest();
    const std::int64_t first = newest.front().position;
    std::int64_t last = newest.back().position;
    if (last - first > std::max(kAhead, static_cast<std::int64_t>(newest.size()) * kMostSparse)) {
      return false;
    }
    last = std::max(last, first + kAhead);
    const std::size_t most =
        std::min(Left() + 1, wide ? kMostNeighbours * newest.size() : std::size_t{kAhead});
    const auto rows = connection_.Query(kRangeDown, pg::Params()
                                                        .Int8(first)
                                                        .Int8(limits_.head)
                                                        .Int8(static_cast<std::int64_t>(most))
                                                        .Int8(last));
    if (!rows.ok()) return rows.status();
    if (rows->Bool(0, 2)) return false;
    const std::vector<Step> found = StepsOf(*rows);
    // There are more, perhaps from the last event, too.
    if (found.size() == most) last = found.back().from - 1;
    if (last < first) return false;
    std::vector<Step> steps;
    auto at = found.cbegin();
    for (std::int64_t from = first; from <= last; ++from) {
      if (at == found.cend() || at->from != from) steps.push_back({from, 0});
      for (; at != found.cend() && at->from == from; ++at) steps.push_back(*at);
    }
    const int depth = reach_.walk.depth();
    const std::size_t reached = reach_.walk.Extend(std::move(steps));
    if (!wide) ahead_ = reach_.walk.over() || reach_.walk.depth() - depth >= kFirstLevels;
    return reached > 0;
  }

  absl::StatusOr<bool> GoOneLevel() {
    const std::vector<std::int64_t> newest = Newest();
    // Each event may have no neighbours, which also is a row; so one more than this is too many.
    const std::size_t most = Left() + newest.size() + 1;
    auto steps = ReadLevel(connection_, down() ? kDown : kUp, newest, limits_.head, most);
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
  bool ahead_ = true;  // what follows on a narrow level may be near
};

}  // namespace

absl::StatusOr<Reach> WalkLog(Reader& reader, pg::Connection& connection,
                              const WalkLimits& limits) {
  return LogWalk(reader, connection, limits).Run();
}

absl::StatusOr<std::vector<Step>> ReadParents(pg::Connection& connection,
                                              const std::vector<std::int64_t>& positions,
                                              std::int64_t head, std::size_t most) {
  return ReadLevel(connection, kUp, positions, head, most);
}

}  // namespace god33::api
