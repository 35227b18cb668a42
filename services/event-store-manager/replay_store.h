#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/uuid.h"
#include "event/event_type.h"
#include "eventlog/event_row.h"
#include "pg/connection.h"

namespace god33::manager {

// The positions that the log has, both included.
struct LogRange {
  std::int64_t horizon = 1;
  std::int64_t head = 0;
};

// Which events a replay publishes, and where to.
struct ReplayOrder {
  std::optional<Uuid> workflow;
  std::optional<Uuid> correlation;
  std::vector<event::TypePattern> types;  // one of them; empty: all
  std::optional<absl::Time> start;        // at or after
  std::optional<absl::Time> end;          // before
  std::int64_t from = 1;                  // positions, both included
  std::int64_t to = 0;
  std::string exchange;
  int rate = 100;  // events a second
};

// A replay as it stands in its table.
struct ReplayJob {
  Uuid id;
  std::string state;  // running, completed, cancelled, failed
  ReplayOrder order;
  std::int64_t total = 0;
  bool total_exact = false;
  std::int64_t published = 0;
  std::int64_t unroutable = 0;
  std::int64_t position = 0;  // looked at
  std::string error;
  absl::Time created_at;
  absl::Time updated_at;
};

struct ReplayEvent {
  eventlog::StoredEvent event;
  std::string routing_key;
};

// The next part of a replay.
struct ReplayPage {
  std::vector<ReplayEvent> events;
  std::int64_t position = 0;  // everything up to here has been looked at
  bool last = false;
};

// Replays and the events they publish. Statements of one connection; one thread.
class ReplayStore {
 public:
  explicit ReplayStore(pg::Connection& connection) : connection_(connection) {}

  absl::StatusOr<LogRange> Range();

  // How many events match, as far as `patience` allows. False: there may be more.
  struct Total {
    std::int64_t events = 0;
    bool exact = false;
  };
  absl::StatusOr<Total> Count(const ReplayOrder& order, absl::Duration patience);

  // At most `most` events of the order behind `after`, and not many bytes. OUT_OF_RANGE (RETENTION) when some of
  // what stood there has been dropped.
  absl::StatusOr<ReplayPage> Page(const ReplayOrder& order, std::int64_t after, int most);

  absl::Status Insert(const ReplayJob& job, const std::string& requested_by);
  absl::StatusOr<std::optional<ReplayJob>> Find(const Uuid& id);
  absl::StatusOr<std::vector<ReplayJob>> List(const std::string& state, int limit);

  // Ends it if it runs.
  absl::Status Cancel(const Uuid& id);

  // A running job whose next step is due, locked until the transaction's end; nobody else gets it.
  absl::StatusOr<std::optional<ReplayJob>> TakeDue();

  // When the next running job is due, counted from now.
  absl::StatusOr<std::optional<absl::Duration>> NextDue();

  // Writes state, progress and error; the next step is due after `pause`.
  absl::Status Save(const ReplayJob& job, absl::Duration pause);

 private:
  pg::Connection& connection_;
};

}  // namespace god33::manager
