#include "services/event-store-manager/replay_store.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/strings.h"
#include "eventlog/horizon.h"

namespace god33::manager {
namespace {

// Positions that one look considers. Their events are read only where they match.
constexpr int kLooked = 2000;

// Of payloads as they are stored, compressed: bounds what one page holds in memory.
constexpr std::int64_t kMostBytes = 1 << 20;

constexpr pg::Statement kRange = {"replay_range", "SELECT " GOD33_HORIZON R"sql(,
  (SELECT coalesce(max(position), 0) FROM event_ids))sql"};

// What the order's leading index gives, by position; the rest is checked: $1 workflow, $2 correlation,
// $3 and $4 times, $5 after, $6 up to, $7 how many. The months are named, so that others aren't opened.
#define GOD33_REPLAY_LOOK(FROM)                                                        \
  "SELECT e.position, e.event_type, pg_column_size(e.payload)::bigint AS bytes,"       \
  " ($3::timestamptz IS NULL OR e.\"timestamp\" >= $3::timestamptz)"                   \
  " AND ($4::timestamptz IS NULL OR e.\"timestamp\" < $4::timestamptz)"                \
  " AND ($2::uuid IS NULL OR $2::uuid = ANY(e.correlation_ids)) AS matches FROM " FROM \
  " ORDER BY e.position LIMIT $7::integer"

constexpr pg::Statement kLookInLog = {"replay_look", GOD33_REPLAY_LOOK(R"sql(
  events AS e WHERE e.position > $5::bigint AND e.position <= $6::bigint AND $1::uuid IS NULL
    AND e.recorded_at >= coalesce(
      (SELECT max(month) FROM log_months WHERE first_position <= $5::bigint + 1), '-infinity'))sql")};

constexpr pg::Statement kLookInWorkflow = {"replay_look_workflow", GOD33_REPLAY_LOOK(R"sql(
  (SELECT position FROM memberships
   WHERE kind = 'w' AND group_id = $1::uuid AND position > $5::bigint AND position <= $6::bigint
   ORDER BY position LIMIT $7::integer) AS m
  JOIN events AS e ON e.position = m.position)sql")};

constexpr pg::Statement kLookAmongChildren = {"replay_look_children", GOD33_REPLAY_LOOK(R"sql(
  (SELECT child_position AS position FROM event_edges
   WHERE parent_position = (SELECT position FROM event_ids WHERE event_id = $2::uuid)
     AND child_position > $5::bigint AND child_position <= $6::bigint AND $1::uuid IS NULL
   ORDER BY child_position LIMIT $7::integer) AS c
  JOIN events AS e ON e.position = c.position)sql")};

constexpr pg::Statement kEvents = {"replay_events", R"sql(
  SELECT )sql" GOD33_EVENT_COLUMNS R"sql(, coalesce(e.routing_key, e.event_type)
  FROM events AS e WHERE e.position = ANY($1::bigint[])
    AND e.recorded_at >= coalesce(
      (SELECT max(month) FROM log_months WHERE first_position <= $2::bigint), '-infinity')
  ORDER BY e.position)sql"};

constexpr pg::Statement kInsert = {"insert_replay", R"sql(
  INSERT INTO replays (replay_id, requested_by, workflow_id, correlation_id, event_types, start_time,
                       end_time, from_position, to_position, exchange, rate, total, total_exact, position)
  VALUES ($1::uuid, $2::text, $3::uuid, $4::uuid, $5::text[], $6::timestamptz, $7::timestamptz,
          $8::bigint, $9::bigint, $10::text, $11::integer, $12::bigint, $13::boolean, $14::bigint))sql"};

#define GOD33_REPLAY_COLUMNS                                                                \
  "replay_id, state, workflow_id, correlation_id, event_types, start_time, end_time,"       \
  " from_position, to_position, exchange, rate, total, total_exact, published, unroutable," \
  " position, error, created_at, updated_at"

constexpr pg::Statement kFind = {
    "find_replay", "SELECT " GOD33_REPLAY_COLUMNS " FROM replays WHERE replay_id = $1::uuid"};

constexpr pg::Statement kList = {"list_replays", "SELECT " GOD33_REPLAY_COLUMNS R"sql(
  FROM replays WHERE $1::text = '' OR state = $1::text
  ORDER BY created_at DESC, replay_id LIMIT $2::integer)sql"};

constexpr pg::Statement kCancel = {"cancel_replay", R"sql(
  UPDATE replays SET state = 'cancelled', updated_at = clock_timestamp()
  WHERE replay_id = $1::uuid AND state = 'running')sql"};

// A job that was saved at a time still to come is from before the clock was set back: it is due, too.
constexpr pg::Statement kTakeDue = {"take_replay", "SELECT " GOD33_REPLAY_COLUMNS R"sql(
  FROM replays
  WHERE state = 'running' AND (next_at <= clock_timestamp() OR updated_at > clock_timestamp())
  ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED)sql"};

constexpr pg::Statement kNextDue = {"next_replay", R"sql(
  SELECT (extract(epoch FROM min(next_at) - clock_timestamp()) * 1000)::bigint
  FROM replays WHERE state = 'running')sql"};

constexpr pg::Statement kSave = {"save_replay", R"sql(
  UPDATE replays SET state = $2::text, published = $3::bigint, unroutable = $4::bigint,
    position = $5::bigint, error = $6::text, updated_at = clock_timestamp(),
    next_at = clock_timestamp() + make_interval(secs => $7::bigint / 1000.0)
  WHERE replay_id = $1::uuid)sql"};

void AddTime(pg::Params& params, const std::optional<absl::Time>& time) {
  if (time) {
    params.Time(*time);
  } else {
    params.Null();
  }
}

void AddId(pg::Params& params, const std::optional<Uuid>& id) {
  if (id) {
    params.Id(*id);
  } else {
    params.Null();
  }
}

const pg::Statement& LookOf(const ReplayOrder& order) {
  if (order.workflow) return kLookInWorkflow;
  return order.correlation ? kLookAmongChildren : kLookInLog;
}

bool HasType(const ReplayOrder& order, std::string_view type) {
  return order.types.empty() ||
         std::any_of(order.types.begin(), order.types.end(),
                     [type](const event::TypePattern& pattern) { return pattern.Matches(type); });
}

absl::StatusOr<ReplayJob> ReadJob(const pg::Result& result, int row) {
  ReplayJob job;
  job.id = result.Id(row, 0);
  job.state = result.Bytes(row, 1);
  job.order.workflow = result.OptionalId(row, 2);
  job.order.correlation = result.OptionalId(row, 3);
  for (const std::string_view text : result.Texts(row, 4)) {
    auto pattern = event::TypePattern::Parse(text);
    if (!pattern.ok()) return pattern.status();
    job.order.types.push_back(*std::move(pattern));
  }
  job.order.start = result.OptionalTime(row, 5);
  job.order.end = result.OptionalTime(row, 6);
  job.order.from = result.Int8(row, 7);
  job.order.to = result.Int8(row, 8);
  job.order.exchange = result.Bytes(row, 9);
  job.order.rate = result.Int4(row, 10);
  job.total = result.Int8(row, 11);
  job.total_exact = result.Bool(row, 12);
  job.published = result.Int8(row, 13);
  job.unroutable = result.Int8(row, 14);
  job.position = result.Int8(row, 15);
  job.error = result.Bytes(row, 16);
  job.created_at = result.Time(row, 17);
  job.updated_at = result.Time(row, 18);
  return job;
}

absl::StatusOr<std::optional<ReplayJob>> OnlyJob(absl::StatusOr<pg::Result> rows) {
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return std::nullopt;
  auto job = ReadJob(*rows, 0);
  if (!job.ok()) return job.status();
  return *std::move(job);
}

absl::StatusOr<pg::Result> Look(pg::Connection& connection, const ReplayOrder& order,
                                std::int64_t after) {
  pg::Params params;
  AddId(params, order.workflow);
  AddId(params, order.correlation);
  AddTime(params, order.start);
  AddTime(params, order.end);
  params.Int8(after).Int8(order.to).Int4(kLooked);
  return connection.Query(LookOf(order), params);
}

}  // namespace

absl::StatusOr<LogRange> ReplayStore::Range() {
  const auto rows = connection_.Query(kRange);
  if (!rows.ok()) return rows.status();
  return LogRange{.horizon = rows->Int8(0, 0), .head = rows->Int8(0, 1)};
}

absl::StatusOr<ReplayStore::Total> ReplayStore::Count(const ReplayOrder& order,
                                                      absl::Duration patience) {
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(patience);
  Total total;
  std::int64_t after = order.from - 1;
  for (;;) {
    const auto rows = Look(connection_, order, after);
    if (!rows.ok()) return rows.status();
    for (int i = 0; i < rows->rows(); ++i) {
      if (rows->Bool(i, 3) && HasType(order, rows->Bytes(i, 1))) ++total.events;
    }
    total.exact = rows->rows() < kLooked;
    if (total.exact || MonotonicNanos() > deadline) return total;
    after = rows->Int8(rows->rows() - 1, 0);
  }
}

absl::StatusOr<ReplayPage> ReplayStore::Page(const ReplayOrder& order, std::int64_t after,
                                             int most) {
  const auto looked = Look(connection_, order, after);
  if (!looked.ok()) return looked.status();
  ReplayPage page{.position = after};
  pg::Array positions(pg::Type::kInt8);
  std::int64_t first = 0;
  std::int64_t bytes = 0;
  int row = 0;
  for (; row < looked->rows(); ++row) {
    const bool wanted = looked->Bool(row, 3) && HasType(order, looked->Bytes(row, 1));
    const bool full = positions.size() == static_cast<std::size_t>(most) || bytes > kMostBytes;
    if (wanted && full) break;
    page.position = looked->Int8(row, 0);
    if (!wanted) continue;
    if (positions.size() == 0) first = page.position;
    positions.Int8(page.position);
    bytes += looked->Int8(row, 2);
  }
  page.last = row == looked->rows() && row < kLooked;
  if (page.last) page.position = order.to;
  if (positions.size() > 0) {
    const auto rows =
        connection_.Query(kEvents, pg::Params().Array(std::move(positions)).Int8(first));
    if (!rows.ok()) return rows.status();
    for (int i = 0; i < rows->rows(); ++i) {
      page.events.push_back({.event = eventlog::ReadEvent(*rows, i),
                             .routing_key = std::string(rows->Bytes(i, eventlog::kEventColumns))});
    }
  }
  // Last, so that what it calls left was there for the others.
  const auto horizon = eventlog::ReadHorizon(connection_);
  if (!horizon.ok()) return horizon.status();
  if (after + 1 < *horizon) {
    return eventlog::BelowHorizon(StrCat("what follows position ", after), *horizon);
  }
  return page;
}

absl::Status ReplayStore::Insert(const ReplayJob& job, const std::string& requested_by) {
  const ReplayOrder& order = job.order;
  pg::Params params;
  params.Id(job.id).Text(requested_by);
  AddId(params, order.workflow);
  AddId(params, order.correlation);
  pg::Array types(pg::Type::kText);
  for (const event::TypePattern& type : order.types) types.Text(type.text());
  params.Array(std::move(types));
  AddTime(params, order.start);
  AddTime(params, order.end);
  params.Int8(order.from).Int8(order.to).Text(order.exchange).Int4(order.rate);
  params.Int8(job.total).Bool(job.total_exact).Int8(job.position);
  return connection_.Query(kInsert, params).status();
}

absl::StatusOr<std::optional<ReplayJob>> ReplayStore::Find(const Uuid& id) {
  return OnlyJob(connection_.Query(kFind, pg::Params().Id(id)));
}

absl::StatusOr<std::vector<ReplayJob>> ReplayStore::List(const std::string& state, int limit) {
  const auto rows = connection_.Query(kList, pg::Params().Text(state).Int4(limit));
  if (!rows.ok()) return rows.status();
  std::vector<ReplayJob> jobs;
  for (int i = 0; i < rows->rows(); ++i) {
    auto job = ReadJob(*rows, i);
    if (!job.ok()) return job.status();
    jobs.push_back(*std::move(job));
  }
  return jobs;
}

absl::Status ReplayStore::Cancel(const Uuid& id) {
  return connection_.Query(kCancel, pg::Params().Id(id)).status();
}

absl::StatusOr<std::optional<ReplayJob>> ReplayStore::TakeDue() {
  return OnlyJob(connection_.Query(kTakeDue));
}

absl::StatusOr<std::optional<absl::Duration>> ReplayStore::NextDue() {
  const auto rows = connection_.Query(kNextDue);
  if (!rows.ok()) return rows.status();
  if (rows->IsNull(0, 0)) return std::nullopt;
  return absl::Milliseconds(rows->Int8(0, 0));
}

absl::Status ReplayStore::Save(const ReplayJob& job, absl::Duration pause) {
  return connection_
      .Query(kSave, pg::Params()
                        .Id(job.id)
                        .Text(job.state)
                        .Int8(job.published)
                        .Int8(job.unroutable)
                        .Int8(job.position)
                        .Text(job.error)
                        .Int8(absl::ToInt64Milliseconds(pause)))
      .status();
}

}  // namespace god33::manager
