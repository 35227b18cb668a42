#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/stop.h"
#include "eventlog/cursor.h"
#include "reaction/journal.h"
#include "reaction/metrics.h"
#include "reaction/reaction.h"
#include "reaction/reactor.h"

namespace god33::reaction {

// Finds in the log what no queue has brought, on a thread and a connection of its own: at the start and then every
// Options::sweep_every it has the reaction handle all wanted events between the cursor and what was the log's head
// Options::settle ago. Of all replicas one sweeps at a time. It also tries failures again, and looks after the
// database while nothing comes.
class Sweeper {
 public:
  Sweeper(const Options& options, const Journal& journal, Reaction& reaction,
          const Handler& handler, Metrics& metrics);

  // Finishes the reaction under way and gives the cursor up.
  ~Sweeper();

  Sweeper(const Sweeper&) = delete;
  Sweeper& operator=(const Sweeper&) = delete;

  void RetryFailures() { retry_failures_ = true; }

 private:
  void Run();
  absl::Status Round(pg::Connection& connection);
  absl::Status Retry(pg::Connection& connection);
  absl::Status Sweep(pg::Connection& connection, std::int64_t up_to);
  absl::Status SweepTo(pg::Connection& connection, eventlog::CursorLease& lease,
                       std::int64_t up_to);
  absl::Status React(eventlog::StoredEvent event, Origin origin);

  const Options& options_;
  const Journal& journal_;
  Reaction& reaction_;
  const Handler& handler_;
  Metrics& metrics_;
  const std::vector<std::string> types_;
  std::atomic<bool> retry_failures_ = true;
  Stop stop_;
  std::thread thread_;
};

}  // namespace god33::reaction
