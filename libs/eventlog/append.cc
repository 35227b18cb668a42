#include "eventlog/append.h"

#include <utility>

#include "event/write.h"
#include "eventlog/lookup.h"
#include "pg/error.h"
#include "sequence/resolve.h"

namespace god33::eventlog {
namespace {

using sequence::NewEvent;
using sequence::Outcome;
using sequence::Resolution;
using sequence::Rows;
using sequence::Unit;

// In the order of append_events' parameters (migrations/0008_write_path.sql).
constexpr pg::Statement kAppend = {"append_events", R"sql(
  SELECT append_events($1::bigint, $2::bigint, $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[],
    $7::text[], $8::json[], $9::text[], $10::json[], $11::json[], $12::text[], $13::uuid[],
    $14::uuid[], $15::uuid[], $16::text[], $17::text[], $18::text[], $19::boolean[], $20::text[],
    $21::bigint[], $22::text[], $23::bigint[], $24::bigint[], $25::uuid[], $26::bigint[],
    $27::bigint[], $28::uuid[], $29::text[], $30::uuid[], $31::bigint[], $32::boolean[], $33::uuid[],
    $34::text[], $35::bigint[], $36::text[], $37::bigint[], $38::text[], $39::bigint[],
    $40::bigint[]))sql"};

constexpr pg::Statement kLock = {"lock_log", "SELECT pg_advisory_xact_lock(33, 1)"};

// A text array as one text, for columns that are arrays themselves: {"a","b"}.
std::string ArrayLiteral(const std::vector<std::string>& texts) {
  std::string literal = "{";
  for (const std::string& text : texts) {
    literal.append(literal.size() == 1 ? "\"" : ",\"");
    for (const char c : text) {
      if (c == '"' || c == '\\') literal.push_back('\\');
      if (c != '\0') literal.push_back(c);
    }
    literal.push_back('"');
  }
  literal.push_back('}');
  return literal;
}

std::string ArrayLiteral(const std::vector<Uuid>& ids) {
  std::string literal = "{";
  for (const Uuid& id : ids) {
    if (literal.size() > 1) literal.push_back(',');
    literal.append(id.ToString());
  }
  literal.push_back('}');
  return literal;
}

void AddEvents(const Rows& rows, pg::Params& params) {
  using pg::Array;
  using pg::Type;
  Array ids(Type::kUuid), digests(Type::kUuid), types(Type::kText), times(Type::kTimestamptz),
      versions(Type::kText), sources(Type::kJson), parents(Type::kText), contexts(Type::kJson),
      payloads(Type::kJson), projects(Type::kText), workflows(Type::kUuid),
      collaborations(Type::kUuid), sessions(Type::kUuid), agents(Type::kText),
      checkpoints(Type::kText), routing_keys(Type::kText), appended(Type::kBool),
      aggregates(Type::kText), aggregate_versions(Type::kInt8), errors(Type::kText);
  for (const Rows::EventRow& row : rows.events) {
    const NewEvent& event = *row.event;
    const event::Envelope& envelope = event.envelope;
    ids.Id(envelope.id);
    digests.Id(event.digest);
    types.Text(envelope.type);
    times.Time(envelope.time);
    versions.Text(envelope.version);
    sources.Text(event::WriteSource(envelope.source, event::Absent::kOmit));
    parents.Text(ArrayLiteral(envelope.parents));
    contexts.TextOrNull(envelope.agent_context
                            ? event::WriteContext(*envelope.agent_context, event::Absent::kOmit)
                            : std::string());
    payloads.Text(envelope.payload);
    projects.TextOrNull(row.project);
    workflows.OptionalId(event.facts.workflow_id);
    collaborations.OptionalId(event.facts.collaboration_id);
    sessions.OptionalId(event.facts.session_id);
    agents.TextOrNull(event.facts.agent_id);
    checkpoints.TextOrNull(event.facts.checkpoint_id);
    routing_keys.TextOrNull(event.routing_key == envelope.type ? std::string() : event.routing_key);
    appended.Bool(event.appended);
    aggregates.TextOrNull(row.aggregate);
    if (row.aggregate.empty()) {
      aggregate_versions.Null();
    } else {
      aggregate_versions.Int8(row.aggregate_version);
    }
    errors.TextOrNull(event.payload_errors.empty() ? std::string()
                                                   : ArrayLiteral(event.payload_errors));
  }
  for (Array* column : {&ids,
                        &digests,
                        &types,
                        &times,
                        &versions,
                        &sources,
                        &parents,
                        &contexts,
                        &payloads,
                        &projects,
                        &workflows,
                        &collaborations,
                        &sessions,
                        &agents,
                        &checkpoints,
                        &routing_keys,
                        &appended,
                        &aggregates,
                        &aggregate_versions,
                        &errors}) {
    params.Array(std::move(*column));
  }
}

void AddCausation(const Rows& rows, pg::Params& params) {
  using pg::Array;
  using pg::Type;
  Array edge_parents(Type::kInt8), edge_children(Type::kInt8), orphan_parents(Type::kUuid),
      orphan_children(Type::kInt8), late_positions(Type::kInt8), late_ids(Type::kUuid);
  for (const Rows::Edge& edge : rows.edges) {
    edge_parents.Int8(edge.parent);
    edge_children.Int8(edge.child);
  }
  for (const Rows::Orphan& orphan : rows.orphans) {
    orphan_parents.Id(orphan.parent);
    orphan_children.Int8(orphan.child);
  }
  for (const Rows::LateParent& late : rows.late_parents) {
    late_positions.Int8(late.position);
    late_ids.Id(late.id);
  }
  for (Array* column : {&edge_parents, &edge_children, &orphan_parents, &orphan_children,
                        &late_positions, &late_ids}) {
    params.Array(std::move(*column));
  }
}

void AddGroups(const Rows& rows, pg::Params& params) {
  using pg::Array;
  using pg::Type;
  Array kinds(Type::kText), groups(Type::kUuid), positions(Type::kInt8), inherited(Type::kBool),
      workflows(Type::kUuid), projects(Type::kText), owned_at(Type::kInt8);
  for (const Rows::Member& member : rows.members) {
    const char kind = static_cast<char>(member.membership.kind);
    kinds.Text({&kind, 1});
    groups.Id(member.membership.group);
    positions.Int8(member.position);
    inherited.Bool(member.membership.inherited);
  }
  for (const Rows::Owned& owned : rows.owned) {
    workflows.Id(owned.workflow);
    projects.Text(owned.project);
    owned_at.Int8(owned.position);
  }
  for (Array* column :
       {&kinds, &groups, &positions, &inherited, &workflows, &projects, &owned_at}) {
    params.Array(std::move(*column));
  }
}

void AddTypes(const Rows& rows, const absl::flat_hash_set<std::string>& known_types,
              pg::Params& params) {
  pg::Array types(pg::Type::kText), positions(pg::Type::kInt8);
  absl::flat_hash_set<std::string> added;
  for (const Rows::EventRow& row : rows.events) {
    const std::string& type = row.event->envelope.type;
    if (known_types.contains(type) || !added.insert(type).second) continue;
    types.Text(type);
    positions.Int8(row.position);
  }
  params.Array(std::move(types)).Array(std::move(positions));
}

void AddAggregates(const Rows& rows, pg::Params& params) {
  pg::Array names(pg::Type::kText), versions(pg::Type::kInt8), positions(pg::Type::kInt8);
  absl::flat_hash_map<std::string, std::int64_t> last_positions;
  for (const Rows::EventRow& row : rows.events) {
    if (!row.aggregate.empty()) last_positions[row.aggregate] = row.position;
  }
  for (const auto& [name, version] : rows.versions) {
    names.Text(name);
    versions.Int8(version);
    positions.Int8(last_positions[name]);
  }
  params.Array(std::move(names)).Array(std::move(versions)).Array(std::move(positions));
}

pg::Params RowParams(const sequence::Known& known, const Rows& rows,
                     const absl::flat_hash_set<std::string>& known_types) {
  pg::Params params;
  params.Int8(known.head).Int8(known.generation);
  AddEvents(rows, params);
  AddCausation(rows, params);
  AddGroups(rows, params);
  AddTypes(rows, known_types, params);
  AddAggregates(rows, params);
  return params;
}

Stored Summary(Resolution resolution) {
  Stored stored;
  stored.new_events = static_cast<std::int64_t>(resolution.rows.events.size());
  for (const Outcome& outcome : resolution.outcomes) {
    for (const sequence::Placed& placed : outcome.placed) stored.duplicates += placed.duplicate;
  }
  stored.outcomes = std::move(resolution.outcomes);
  return stored;
}

// Writes the rows if the log still ends where it was looked up; false if it has moved on.
absl::StatusOr<bool> WriteRows(pg::Connection& connection, const sequence::Known& known,
                               const Rows& rows,
                               const absl::flat_hash_set<std::string>& known_types,
                               absl::Time& recorded_at) {
  const auto result = connection.Query(kAppend, RowParams(known, rows, known_types));
  if (!result.ok()) return result.status();
  if (result->IsNull(0, 0)) return false;
  recorded_at = result->Time(0, 0);
  return true;
}

// One try. nullopt: the log has moved on since the look-up.
absl::StatusOr<std::optional<Stored>> TryAppend(pg::Connection& connection,
                                                const std::vector<const Unit*>& units,
                                                const DeadLetters& dead_letters,
                                                absl::flat_hash_set<std::string>& known_types) {
  const auto known = LookUp(connection, units);
  if (!known.ok()) return known.status();
  Resolution resolution = sequence::Resolve(units, *known);
  const std::vector<DeadLetter> letters = dead_letters(resolution.outcomes);

  // Dead letters and events are one transaction. Without dead letters the statement is one by
  // itself.
  std::optional<pg::Transaction> transaction;
  if (!letters.empty()) {
    auto begun = pg::Transaction::Begin(connection);
    if (!begun.ok()) return begun.status();
    transaction.emplace(*std::move(begun));
    if (absl::Status status = InsertDeadLetters(connection, letters); !status.ok()) return status;
  }
  absl::Time recorded_at;
  if (!resolution.rows.events.empty()) {
    const auto written = WriteRows(connection, *known, resolution.rows, known_types, recorded_at);
    if (!written.ok()) return written.status();
    if (!*written) return std::nullopt;
  }
  if (transaction) {
    if (absl::Status status = std::move(*transaction).Commit(); !status.ok()) return status;
  }
  for (const Rows::EventRow& row : resolution.rows.events) {
    known_types.insert(row.event->envelope.type);
  }
  Stored stored = Summary(std::move(resolution));
  stored.recorded_at = recorded_at;
  stored.dead_letters = letters.size();
  return stored;
}

}  // namespace

absl::StatusOr<Stored> Append(pg::Connection& connection, const std::vector<const Unit*>& units,
                              const DeadLetters& dead_letters,
                              absl::flat_hash_set<std::string>& known_types) {
  // Another writer may commit between look-up and write. After a few such tries the look-up is made
  // under the lock, where nobody can.
  constexpr int kOptimisticTries = 3;
  for (int i = 0; i < kOptimisticTries; ++i) {
    auto stored = TryAppend(connection, units, dead_letters, known_types);
    if (!stored.ok()) return stored.status();
    if (*stored) return *std::move(*stored);
  }
  auto transaction = pg::Transaction::Begin(connection);
  if (!transaction.ok()) return transaction.status();
  auto stored = AppendInTransaction(connection, units);
  if (!stored.ok()) return stored;
  const std::vector<DeadLetter> letters = dead_letters(stored->outcomes);
  if (absl::Status status = InsertDeadLetters(connection, letters); !status.ok()) return status;
  if (absl::Status status = std::move(*transaction).Commit(); !status.ok()) return status;
  stored->dead_letters = letters.size();
  return stored;
}

absl::StatusOr<Stored> AppendInTransaction(pg::Connection& connection,
                                           const std::vector<const Unit*>& units) {
  if (absl::Status status = LockLog(connection); !status.ok()) return status;
  const auto known = LookUp(connection, units);
  if (!known.ok()) return known.status();
  Resolution resolution = sequence::Resolve(units, *known);
  absl::Time recorded_at;
  if (!resolution.rows.events.empty()) {
    const auto written = WriteRows(connection, *known, resolution.rows, {}, recorded_at);
    if (!written.ok()) return written.status();
    if (!*written) return absl::InternalError("the log moved while it was locked");
  }
  Stored stored = Summary(std::move(resolution));
  stored.recorded_at = recorded_at;
  return stored;
}

absl::Status LockLog(pg::Connection& connection) {
  return connection.Query(kLock).status();
}

std::vector<std::pair<std::string, std::string>> WriterSettings() {
  return {{"lock_timeout", "2s"},
          {"idle_in_transaction_session_timeout", "2s"},
          {"statement_timeout", "30s"},
          {"jit", "off"}};
}

std::vector<std::pair<std::string, std::string>> KeyedPlanSettings() {
  return {{"plan_cache_mode", "force_generic_plan"},
          {"enable_seqscan", "off"},
          {"enable_hashjoin", "off"},
          {"enable_mergejoin", "off"}};
}

}  // namespace god33::eventlog
