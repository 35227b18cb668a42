#include "services/event-store-api/causation_ids.h"

#include <algorithm>
#include <utility>

namespace god33::api {
namespace {

constexpr pg::Statement kIds = {"causation_ids", R"sql(
  SELECT array_agg(i.position), array_agg(i.event_id)
  FROM unnest($1::bigint[]) AS p (position) JOIN event_ids AS i ON i.position = p.position)sql"};

constexpr pg::Statement kIdsOfRange = {"causation_ids_of_range", R"sql(
  SELECT array_agg(position), array_agg(event_id)
  FROM event_ids WHERE position BETWEEN $1::bigint AND $2::bigint)sql"};

// Where events stand at most so far apart, on average, one scan over all between the first and the last
// is faster than looking for each.
constexpr std::int64_t kMostSparse = 8;

absl::StatusOr<pg::Result> Ask(pg::Connection& connection, std::span<const causation::Node> nodes) {
  const auto [first, last] = std::ranges::minmax_element(nodes, {}, &causation::Node::position);
  const auto size = static_cast<std::int64_t>(nodes.size());
  if (last->position - first->position <= size * kMostSparse) {
    return connection.Query(kIdsOfRange, pg::Params().Int8(first->position).Int8(last->position));
  }
  pg::Array positions(pg::Type::kInt8);
  for (const causation::Node& node : nodes) positions.Int8(node.position);
  return connection.Query(kIds, pg::Params().Array(std::move(positions)));
}

}  // namespace

absl::StatusOr<absl::flat_hash_map<std::int64_t, Uuid>> ReadIds(
    pg::Connection& connection, std::span<const causation::Node> nodes) {
  absl::flat_hash_map<std::int64_t, Uuid> ids;
  if (nodes.empty()) return ids;
  const auto rows = Ask(connection, nodes);
  if (!rows.ok()) return rows.status();
  const auto positions = rows->Int8s(0, 0);
  const auto values = rows->Ids(0, 1);
  ids.reserve(positions.size());
  for (std::size_t i = 0; i < positions.size(); ++i) ids[positions[i]] = values[i];
  return ids;
}

}  // namespace god33::api
