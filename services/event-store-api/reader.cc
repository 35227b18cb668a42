#include "services/event-store-api/reader.h"

#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/stop.h"
#include "base/strings.h"
#include "eventlog/horizon.h"
#include "pg/error.h"
#include "telemetry/log.h"

namespace god33::api {
namespace {

constexpr absl::Duration kAcquireTimeout = absl::Seconds(5);
constexpr absl::Duration kPositionTimeout = absl::Seconds(2);
constexpr absl::Duration kPositionPoll = absl::Milliseconds(10);

constexpr pg::Statement kState = {"log_state", R"sql(
  SELECT coalesce((SELECT max(position) FROM event_ids), 0), log_id,
         coalesce((SELECT position FROM cursors WHERE name = 'projector'), 0),
         (SELECT max(month) FROM log_months), )sql" GOD33_HORIZON R"sql(
  FROM log_identity)sql"};

constexpr pg::Statement kSetTimeout = {"set_statement_timeout",
                                       "SELECT set_config('statement_timeout', $1::text, true)"};

absl::Status ForCaller(const absl::Status& status) {
  if (absl::IsDeadlineExceeded(status)) return Reader::TooSlow();
  return pg::ForCaller(status, "a query failed");
}

}  // namespace

pg::Config Reader::SessionOf(const Options& options) {
  pg::Config config = options.database;
  config.settings = {
      {"statement_timeout", StrCat(absl::ToInt64Milliseconds(options.query_timeout))},
      {"default_transaction_read_only", "on"},
      {"TimeZone", "UTC"},
      {"jit", "off"},
      // Statements are made so that one index leads and the others are probed, row by row, in order
      // (event_sql.h); these keep the planner from reading sets instead.
      {"enable_hashjoin", "off"},
      {"enable_mergejoin", "off"},
      {"enable_bitmapscan", "off"},
      {"enable_seqscan", "off"},
      // Starting workers takes longer than most answers.
      {"max_parallel_workers_per_gather", "0"},
      {"plan_cache_mode", "force_generic_plan"}};
  config.call_timeout = options.query_timeout + absl::Seconds(5);
  return config;
}

Reader::Reader(const Options& options)
    : query_timeout_(options.query_timeout), pool_(SessionOf(options), options.connections) {}

absl::Status Reader::TooSlow() {
  return MakeError(absl::StatusCode::kDeadlineExceeded, "QUERY_TOO_SLOW",
                   "no index serves this combination of filters fast enough; narrow it, e.g. by "
                   "workflow_id, event_type or a shorter time range");
}

absl::Status Reader::Run(const std::function<absl::Status(pg::Connection&)>& work) {
  for (int attempt = 1;; ++attempt) {
    auto lease = pool_.Acquire(kAcquireTimeout);
    if (!lease.ok()) return ForCaller(lease.status());
    const absl::Status status = work(**lease);
    // A connection that sat idle through a restart of the server is dead, and says so only when
    // used.
    const bool dead = !status.ok() && (*lease)->broken() && pg::IsTransient(status);
    if (!dead || attempt == 2) return ForCaller(status);
  }
}

const pg::Statement& Reader::StatementFor(const std::string& text) {
  absl::MutexLock lock(&mutex_);
  std::unique_ptr<Shape>& shape = shapes_[text];
  if (!shape) {
    shape = std::make_unique<Shape>();
    shape->name = StrCat("shape_", shapes_.size());
    shape->text = text;
    shape->statement = {shape->name.c_str(), shape->text.c_str()};
  }
  return shape->statement;
}

absl::StatusOr<pg::Result> Reader::Query(pg::Connection& connection, const Sql& sql) {
  return connection.Query(StatementFor(sql.text), sql.params);
}

absl::StatusOr<pg::Result> Reader::QueryWithin(pg::Connection& connection, const Sql& sql,
                                               absl::Duration timeout) {
  const pg::Params limit = std::move(pg::Params().Text(StrCat(absl::ToInt64Milliseconds(timeout))));
  auto results = connection.QueryAll({{kSetTimeout, limit}, {StatementFor(sql.text), sql.params}});
  if (!results.ok()) return results.status();
  return std::move((*results)[1]);
}

absl::StatusOr<LogState> Reader::State(pg::Connection& connection) {
  const auto rows = connection.Query(kState);
  if (!rows.ok()) return rows.status();
  return LogState{.head = rows->Int8(0, 0),
                  .log_id = rows->Id(0, 1),
                  .projected = rows->Int8(0, 2),
                  .last_month = rows->OptionalTime(0, 3),
                  .horizon = rows->Int8(0, 4)};
}

absl::StatusOr<LogState> Reader::StateAt(pg::Connection& connection, std::int64_t min_position,
                                         Of of) {
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(kPositionTimeout);
  const Stop never;
  for (;;) {
    auto state = State(connection);
    if (!state.ok()) return state;
    const std::int64_t reached = of == Of::kLog ? state->head : state->projected;
    if (reached >= min_position) return state;
    if (MonotonicNanos() > deadline) {
      return MakeError(absl::StatusCode::kUnavailable, "POSITION_NOT_REACHED",
                       StrCat(of == Of::kLog ? "the log" : "the projection", " is at position ",
                              reached, ", not yet at ", min_position),
                       "min_position");
    }
    never.WaitFor(kPositionPoll);
  }
}

}  // namespace god33::api
