#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "pg/pool.h"
#include "services/event-store-api/event_sql.h"

namespace god33::api {

// How far the log, or what is folded from it, has come.
struct LogState {
  std::int64_t head = 0;
  Uuid log_id;
  std::int64_t projected = 0;
  std::optional<absl::Time> last_month;  // the newest month that has events
  std::int64_t horizon = 1;              // the first position that retention has left
};

// Read-only access to the database for queries. Thread-safe; calls block, so they belong on an
// executor.
class Reader {
 public:
  struct Options {
    pg::Config database;
    std::size_t connections = 8;
    absl::Duration query_timeout = absl::Seconds(5);  // per statement
  };

  explicit Reader(const Options& options);

  // Settings of its connections, for those who read on one of their own.
  static pg::Config SessionOf(const Options& options);

  // Runs `work` with a connection, once more with another one if the first turned out to be dead. A
  // statement that takes too long is DEADLINE_EXCEEDED (QUERY_TOO_SLOW); a database that is away is
  // UNAVAILABLE (DATABASE_UNAVAILABLE).
  absl::Status Run(const std::function<absl::Status(pg::Connection&)>& work);

  // Runs a made statement, prepared once per connection and shape.
  absl::StatusOr<pg::Result> Query(pg::Connection& connection, const Sql& sql);

  // The same, given up after `timeout`: DEADLINE_EXCEEDED.
  absl::StatusOr<pg::Result> QueryWithin(pg::Connection& connection, const Sql& sql,
                                         absl::Duration timeout);

  // For queries of several statements: how long they may take together, and the error if they don't keep
  // to it.
  absl::Duration query_timeout() const { return query_timeout_; }
  static absl::Status TooSlow();

  absl::StatusOr<LogState> State(pg::Connection& connection);

  // What the reader waits for when he passes min_position.
  enum class Of { kLog, kProjection };

  // Waits until the position is reached, at most 2 s; UNAVAILABLE (POSITION_NOT_REACHED) after
  // that.
  absl::StatusOr<LogState> StateAt(pg::Connection& connection, std::int64_t min_position, Of of);

 private:
  const pg::Statement& StatementFor(const std::string& text);

  struct Shape {
    std::string name;
    std::string text;
    pg::Statement statement;
  };

  const absl::Duration query_timeout_;
  pg::Pool pool_;
  absl::Mutex mutex_;
  std::map<std::string, std::unique_ptr<Shape>> shapes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace god33::api
