#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/wakeup.h"
#include "pg/params.h"
#include "pg/result.h"

typedef struct pg_conn PGconn;

namespace god33::pg {

// A statement of the program: its text, and the name under which a connection prepares it once.
struct Statement {
  const char* name;
  const char* sql;
};

struct Config {
  std::string url;               // postgresql://user:password@host:port/database?...
  std::string application_name;  // seen in pg_stat_activity
  std::string role;              // SET ROLE for the session; empty: the login's own
  absl::Duration connect_timeout = absl::Seconds(5);

  // How long one call may take, counted by the client: a server that has stopped answering is given
  // up.
  absl::Duration call_timeout = absl::Seconds(30);

  // Server settings of the session, e.g. {"lock_timeout", "2s"}.
  std::vector<std::pair<std::string, std::string>> settings;
};

// A connection to PostgreSQL. Calls block; none takes longer than call_timeout, after which the
// connection is broken. One thread at a time.
class Connection {
 public:
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const Config& config);

  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // One or more statements without parameters and without rows, e.g. "BEGIN".
  absl::Status Execute(std::string_view sql);

  // One statement, prepared on first use.
  absl::StatusOr<Result> Query(const Statement& statement, const Params& params = {});

  struct Command {
    const Statement& statement;
    const Params& params;
  };

  // Several statements in one round trip and, outside BEGIN, one transaction. The first error ends
  // it; the rest is not run.
  absl::StatusOr<std::vector<Result>> QueryAll(absl::Span<const Command> commands);
  absl::StatusOr<std::vector<Result>> QueryAll(std::initializer_list<Command> commands) {
    return QueryAll(absl::Span<const Command>(commands.begin(), commands.size()));
  }

  // COMMIT, and an error if it rolled back: after a failed statement the server answers it with
  // ROLLBACK and no error.
  absl::Status Commit();

  // Waits for a notification (after LISTEN), until the deadline or a wake-up. Notifications are
  // only counted; several count as one. Error: the connection is gone.
  absl::Status WaitForNotification(absl::Duration timeout, Wakeup& wakeup);

  // After this nothing works any more: open another one.
  bool broken() const;

 private:
  explicit Connection(PGconn* connection, absl::Duration call_timeout)
      : connection_(connection), call_timeout_(call_timeout) {}

  absl::Status EnsurePrepared(const Statement& statement);
  absl::Status Send(const Command& command);
  absl::StatusOr<PGresult*> NextResult(std::int64_t deadline_nanos);
  absl::StatusOr<Result> OnlyResult(std::int64_t deadline_nanos);
  absl::StatusOr<std::vector<Result>> PipelineResults(std::size_t count,
                                                      std::int64_t deadline_nanos);
  absl::Status WaitReadable(std::int64_t deadline_nanos);
  absl::Status GiveUp(const char* doing);

  struct Close {
    void operator()(PGconn* connection) const;
  };
  std::unique_ptr<PGconn, Close> connection_;
  absl::Duration call_timeout_;
  bool given_up_ = false;
  absl::flat_hash_set<const char*> prepared_;
};

// BEGIN now, ROLLBACK when it goes out of scope uncommitted.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Connection& connection);

  ~Transaction();
  Transaction(Transaction&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;

  absl::Status Commit() &&;

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Connection* connection_;
};

}  // namespace god33::pg
