#include "services/event-store-api/causation_store.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/error.h"
#include "base/strings.h"
#include "eventlog/event_row.h"
#include "eventlog/horizon.h"
#include "services/event-store-api/causation_ids.h"
#include "services/event-store-api/causation_tree.h"
#include "services/event-store-api/event_proto.h"
#include "services/event-store-api/page_token.h"
#include "transcode/json_writer.h"
#include "wire/proto.h"

namespace god33::api {
namespace {

using causation::Node;
using event::v1::EventEnvelope;

// Of payloads as they are stored, compressed: bounds what one query holds in memory.
constexpr std::int64_t kMostStoredBytes = 2 << 20;

// Of an answer: within what gRPC clients accept by default (4 MiB).
constexpr std::size_t kMostAnswerBytes = 3 << 20;

// A path is given up to this depth.
constexpr int kMostPathDepth = 100;

constexpr std::size_t kIdBytes = 38;       // in a message, with its tag and length
constexpr std::size_t kRelatedBytes = 64;  // of RelatedEvent, beside event and path
constexpr std::size_t kNodeBytes = 90;     // of CausationNode, beside its texts
constexpr std::size_t kEdgeBytes = 2 * kIdBytes + 4;

// Where the event of position p.position is; nothing, if retention has dropped it.
#define GOD33_EVENT_OF_POSITION                                                         \
  "LEFT JOIN LATERAL (SELECT month FROM log_months WHERE first_position <= i.position " \
  "                   ORDER BY first_position DESC LIMIT 1) AS m ON true "              \
  "LEFT JOIN events AS e ON e.position = i.position AND e.recorded_at >= m.month "      \
  "  AND e.recorded_at < m.month + interval '1 month' "

constexpr pg::Statement kRoot = {"causation_root",
                                 "SELECT " GOD33_EVENT_COLUMNS
                                 ", i.position FROM event_ids AS i " GOD33_EVENT_OF_POSITION
                                 "WHERE i.event_id = $1::uuid"};

// The first of the given events, up to $2 bytes of payloads, but at least one.
constexpr pg::Statement kEvents = {
    "causation_events",
    "SELECT " GOD33_EVENT_COLUMNS
    ", e.known_id, e.known_position FROM ("
    " SELECT e.*, i.event_id AS known_id, i.position AS known_position, p.n, "
    "  sum(pg_column_size(e.payload)) OVER "
    "   (ORDER BY p.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before "
    " FROM unnest($1::bigint[]) WITH ORDINALITY AS p (position, n) "
    "  LEFT JOIN event_ids AS i ON i.position = p.position " GOD33_EVENT_OF_POSITION
    ") AS e WHERE coalesce(e.before, 0) < $2::bigint ORDER BY e.n"};

constexpr pg::Statement kNodes = {
    "causation_nodes",
    "SELECT i.event_id, e.event_type, e.\"timestamp\", e.agent_id "
    "FROM unnest($1::bigint[]) WITH ORDINALITY AS p (position, n) "
    "LEFT JOIN event_ids AS i ON i.position = p.position " GOD33_EVENT_OF_POSITION "ORDER BY p.n"};

pg::Array Positions(std::span<const Node> nodes) {
  pg::Array array(pg::Type::kInt8);
  for (const Node& node : nodes) array.Int8(node.position);
  return array;
}

// Events by position, as many of the first ones as their size allows. Of those that retention has
// dropped there are only id and position.
absl::StatusOr<std::vector<EventEnvelope>> ReadEvents(pg::Connection& connection,
                                                      std::span<const Node> nodes) {
  const auto rows =
      connection.Query(kEvents, pg::Params().Array(Positions(nodes)).Int8(kMostStoredBytes));
  if (!rows.ok()) return rows.status();
  std::vector<EventEnvelope> events(static_cast<std::size_t>(rows->rows()));
  for (int i = 0; i < rows->rows(); ++i) {
    EventEnvelope& event = events[static_cast<std::size_t>(i)];
    if (rows->IsNull(i, 0)) {
      event.set_event_id(rows->Id(i, eventlog::kEventColumns).ToString());
      event.set_position(rows->Int8(i, eventlog::kEventColumns + 1));
    } else {
      ToProto(eventlog::ReadEvent(*rows, i), event);
    }
  }
  return events;
}

}  // namespace

// What all formats begin with.
struct CausationStore::Found {
  EventEnvelope root;
  Uuid log_id;
  std::int64_t head = 0;  // at which the answer is true
  std::optional<CausationToken> token;
  std::shared_ptr<const Reach> reach;

  const std::vector<Node>& nodes() const { return reach->walk.nodes(); }
};

struct CausationStore::Flat {
  EventEnvelope root;
  std::vector<store::v1::RelatedEvent> events;
  std::int64_t total = 0;
  bool truncated = false;
  std::string next_page_token;
  std::int64_t position = 0;
};

absl::Status CausationStore::Run(const std::function<absl::Status(pg::Connection&)>& work) {
  absl::Status status = reader_.Run(work);
  if (!absl::IsDeadlineExceeded(status)) return status;
  return MakeError(absl::StatusCode::kDeadlineExceeded, "QUERY_TOO_SLOW",
                   "the walk takes longer than a query may; ask for fewer levels by max_depth");
}

absl::StatusOr<CausationStore::Found> CausationStore::Find(pg::Connection& connection,
                                                           const CausationQuery& query) {
  Found found;
  if (!query.page_token.empty()) {
    const auto token = DecodeCausationToken(query.page_token);
    if (!token.ok()) return token.status();
    if (token->fingerprint != query.Fingerprint()) {
      return InvalidField("page_token",
                          "it belongs to another event, direction or max_depth; pass the same");
    }
    found.token = *token;
  }
  // A replica of the database that is behind catches up with the one that gave the first page.
  const std::int64_t needed =
      std::max(query.min_position, found.token ? found.token->head : std::int64_t{0});
  const auto state = reader_.StateAt(connection, needed, Reader::Of::kLog);
  if (!state.ok()) return state.status();
  found.log_id = state->log_id;
  if (found.token && found.token->log_id != state->log_id) {
    return MakeError(absl::StatusCode::kAborted, "LOG_CHANGED",
                     "page_token: the log was replaced by a standby or a backup; start again",
                     "page_token");
  }
  const auto rows = connection.Query(kRoot, pg::Params().Id(query.event_id));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) {
    return MakeError(absl::StatusCode::kNotFound, "EVENT_NOT_FOUND",
                     StrCat("no event has the id ", query.event_id.ToString()), "event_id");
  }
  if (rows->IsNull(0, 0)) return eventlog::EventIsGone(connection);
  ToProto(eventlog::ReadEvent(*rows, 0), found.root);
  const std::int64_t root = rows->Int8(0, eventlog::kEventColumns);
  // It may have been stored just now; then so is everything before it.
  found.head = found.token ? found.token->head : std::max(state->head, root);

  // A tree asked for deeper than trees are is walked one level on, to tell whether there is more.
  const int max_depth = query.format == CausationFormat::kTree
                            ? std::min(query.max_depth, kMostTreeDepth + 1)
                            : query.max_depth;
  const WalkCache::Key key{
      .log_id = found.log_id,
      .limits = {
          .root = root, .direction = query.direction, .max_depth = max_depth, .head = found.head}};
  found.reach = walks_.Find(key);
  if (found.reach == nullptr) {
    auto reach = WalkLog(reader_, connection, key.limits);
    if (!reach.ok()) return reach.status();
    found.reach = std::make_shared<const Reach>(*std::move(reach));
    walks_.Put(key, found.reach);
  }
  return found;
}

absl::StatusOr<CausationStore::Flat> CausationStore::ReadFlat(pg::Connection& connection,
                                                              const CausationQuery& query) {
  auto found = Find(connection, query);
  if (!found.ok()) return found.status();
  const causation::Walk& walk = found->reach->walk;
  const std::vector<Node>& nodes = found->nodes();
  Flat flat{.root = std::move(found->root),
            .total = static_cast<std::int64_t>(nodes.size()) - 1,
            .truncated = found->reach->truncated,
            .position = found->head};

  std::size_t first = 1;
  if (found->token) {
    const auto after = [](const CausationToken& token, const Node& node) {
      return std::pair(token.depth, token.position) <
             std::pair(std::int64_t{node.depth}, node.position);
    };
    first = static_cast<std::size_t>(
        std::upper_bound(nodes.begin() + 1, nodes.end(), *found->token, after) - nodes.begin());
  }
  const std::size_t wanted = std::min(nodes.size() - first, static_cast<std::size_t>(query.limit));
  auto events = ReadEvents(connection, std::span<const Node>(nodes).subspan(first, wanted));
  if (!events.ok()) return events.status();

  // Which of them fit, and whose ids their paths consist of.
  std::vector<std::vector<std::size_t>> paths;
  std::vector<Node> named;
  absl::flat_hash_set<std::size_t> seen;
  const auto name = [&](std::size_t index) {
    if (seen.insert(index).second) named.push_back(nodes[index]);
  };
  std::size_t bytes = flat.root.ByteSizeLong();
  for (std::size_t i = 0; i < events->size(); ++i) {
    const Node& node = nodes[first + i];
    std::vector<std::size_t> path;
    if (node.depth <= kMostPathDepth) path = walk.PathTo(first + i);
    bytes += (*events)[i].ByteSizeLong() + kRelatedBytes + path.size() * kIdBytes;
    if (i > 0 && bytes > kMostAnswerBytes) break;
    name(node.before);
    for (const std::size_t index : path) name(index);
    paths.push_back(std::move(path));
  }
  auto ids = ReadIds(connection, named);
  if (!ids.ok()) return ids.status();
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const Node& node = nodes[first + i];
    store::v1::RelatedEvent& related = flat.events.emplace_back();
    *related.mutable_event() = std::move((*events)[i]);
    related.set_depth(node.depth);
    related.set_parent_id((*ids)[nodes[node.before].position].ToString());
    for (const std::size_t index : paths[i])
      related.add_path((*ids)[nodes[index].position].ToString());
  }
  if (const std::size_t end = first + paths.size(); end < nodes.size()) {
    flat.next_page_token = EncodeCausationToken({.log_id = found->log_id,
                                                 .fingerprint = query.Fingerprint(),
                                                 .head = found->head,
                                                 .depth = nodes[end - 1].depth,
                                                 .position = nodes[end - 1].position});
  }
  return flat;
}

absl::Status CausationStore::ReadTree(pg::Connection& connection, const CausationQuery& query,
                                      event::v1::Json& tree) {
  static const transcode::JsonWriter writer(*EventEnvelope::descriptor());
  auto found = Find(connection, query);
  if (!found.ok()) return found.status();
  const std::vector<Node>& nodes = found->nodes();
  const std::size_t wanted = std::min(nodes.size(), static_cast<std::size_t>(query.limit) + 1);
  auto events = ReadEvents(connection, std::span<const Node>(nodes).subspan(1, wanted - 1));
  if (!events.ok()) return events.status();

  std::vector<TreeEvent> shown(1);
  writer.Append(shown[0].json, found->root);
  std::size_t bytes = shown[0].json.size() + kTreeEventBytes;
  for (std::size_t i = 1; i <= events->size() && nodes[i].depth <= kMostTreeDepth; ++i) {
    TreeEvent event{.depth = nodes[i].depth, .before = nodes[i].before};
    writer.Append(event.json, (*events)[i - 1]);
    bytes += event.json.size() + kTreeEventBytes;
    if (i > 1 && bytes > kMostAnswerBytes) break;
    shown.push_back(std::move(event));
  }
  const bool truncated = found->reach->truncated || shown.size() < nodes.size();
  tree.set_text(WriteTree(shown, truncated));
  return absl::OkStatus();
}

absl::Status CausationStore::ReadGraph(pg::Connection& connection, const CausationQuery& query,
                                       store::v1::CausationGraph& graph) {
  auto found = Find(connection, query);
  if (!found.ok()) return found.status();
  const std::vector<Node>& nodes = found->nodes();
  // The root is not counted.
  const auto shown = std::span<const Node>(nodes).first(
      std::min(nodes.size(), static_cast<std::size_t>(query.limit) + 1));
  const auto rows = connection.Query(kNodes, pg::Params().Array(Positions(shown)));
  if (!rows.ok()) return rows.status();

  std::vector<std::int64_t> positions;
  absl::flat_hash_map<std::int64_t, std::size_t> index_of;
  for (const Node& node : shown) {
    index_of[node.position] = positions.size();
    positions.push_back(node.position);
  }
  const auto steps = ReadParents(connection, positions, found->head, kMostEdges + positions.size());
  if (!steps.ok()) return steps.status();
  // From there on the edges are not known.
  std::size_t keep = shown.size();
  if (steps->size() == kMostEdges + positions.size()) keep = index_of[steps->back().from];

  // An edge stands or falls with the later of its two ends.
  std::vector<std::vector<causation::Step>> edges_of(shown.size());
  for (const causation::Step& step : *steps) {
    const auto parent = index_of.find(step.to);
    if (parent == index_of.end()) continue;
    edges_of[std::max(parent->second, index_of[step.from])].push_back(step);
  }
  std::vector<causation::Step> edges;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < keep; ++i) {
    const int row = static_cast<int>(i);
    store::v1::CausationNode node;
    node.set_event_id(rows->Id(row, 0).ToString());
    node.set_event_type(std::string(rows->Bytes(row, 1)));
    if (!rows->IsNull(row, 2)) *node.mutable_timestamp() = wire::ToProto(rows->Time(row, 2));
    node.set_position(shown[i].position);
    node.set_depth(shown[i].depth);
    node.set_agent_id(std::string(rows->Bytes(row, 3)));
    bytes += kNodeBytes + node.event_type().size() + node.agent_id().size() +
             edges_of[i].size() * kEdgeBytes;
    if (i > 0 && bytes > kMostAnswerBytes) break;
    *graph.add_nodes() = std::move(node);
    edges.insert(edges.end(), edges_of[i].begin(), edges_of[i].end());
  }
  // By cause, then effect.
  std::sort(edges.begin(), edges.end(), [](const causation::Step& a, const causation::Step& b) {
    return std::pair(a.to, a.from) < std::pair(b.to, b.from);
  });
  for (const causation::Step& edge : edges) {
    store::v1::CausationEdge& added = *graph.add_edges();
    added.set_cause(graph.nodes(static_cast<int>(index_of[edge.to])).event_id());
    added.set_effect(graph.nodes(static_cast<int>(index_of[edge.from])).event_id());
  }
  graph.set_truncated(found->reach->truncated ||
                      static_cast<std::size_t>(graph.nodes_size()) < nodes.size());
  graph.set_position(found->head);
  return absl::OkStatus();
}

absl::Status CausationStore::Descendants(const CausationQuery& query,
                                         store::v1::GetDescendantsResponse& response) {
  return Run([&](pg::Connection& connection) -> absl::Status {
    response.Clear();
    if (query.format == CausationFormat::kTree) {
      return ReadTree(connection, query, *response.mutable_tree());
    }
    if (query.format == CausationFormat::kGraph) {
      return ReadGraph(connection, query, *response.mutable_graph());
    }
    auto flat = ReadFlat(connection, query);
    if (!flat.ok()) return flat.status();
    store::v1::Descendants& answer = *response.mutable_flat();
    *answer.mutable_root_event() = std::move(flat->root);
    for (auto& event : flat->events) *answer.add_descendants() = std::move(event);
    answer.set_total_descendants(flat->total);
    answer.set_truncated(flat->truncated);
    answer.set_next_page_token(flat->next_page_token);
    answer.set_position(flat->position);
    return absl::OkStatus();
  });
}

absl::Status CausationStore::Ancestors(const CausationQuery& query,
                                       store::v1::GetAncestorsResponse& response) {
  return Run([&](pg::Connection& connection) -> absl::Status {
    response.Clear();
    if (query.format == CausationFormat::kGraph) {
      return ReadGraph(connection, query, *response.mutable_graph());
    }
    auto flat = ReadFlat(connection, query);
    if (!flat.ok()) return flat.status();
    store::v1::Ancestors& answer = *response.mutable_flat();
    *answer.mutable_root_event() = std::move(flat->root);
    for (auto& event : flat->events) *answer.add_ancestors() = std::move(event);
    answer.set_total_ancestors(flat->total);
    answer.set_truncated(flat->truncated);
    answer.set_next_page_token(flat->next_page_token);
    answer.set_position(flat->position);
    return absl::OkStatus();
  });
}

}  // namespace god33::api
