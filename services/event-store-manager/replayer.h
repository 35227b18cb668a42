#pragma once

#include <memory>
#include <set>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "amqp/publisher.h"
#include "base/stop.h"
#include "pg/connection.h"
#include "services/event-store-manager/metrics.h"
#include "services/event-store-manager/replay_store.h"

namespace god33::manager {

// Carries out running replays, a step of each at a time, at their rates, on a thread of its own. A job is
// locked during its step, so several managers share the work; progress is written after the broker's
// confirms, so a manager that dies leaves at most one step to be published twice.
class Replayer {
 public:
  Replayer(pg::Config database, amqp::Config broker, Metrics& metrics);

  // Finishes the step under way.
  ~Replayer();

  Replayer(const Replayer&) = delete;
  Replayer& operator=(const Replayer&) = delete;

 private:
  void Run();

  // One step of the job that is due. Returns how long there is nothing to do.
  absl::StatusOr<absl::Duration> Step(pg::Connection& connection);
  absl::StatusOr<absl::Duration> Publish(ReplayStore& store, ReplayJob& job);

  // Returns how many of them no queue is bound for.
  absl::StatusOr<std::int64_t> Send(const std::string& exchange,
                                    const std::vector<amqp::Publication>& publications);
  absl::Status EnsurePublisher(const std::string& exchange);

  const pg::Config database_;
  const amqp::Config broker_;
  Metrics& metrics_;
  std::unique_ptr<amqp::Publisher> publisher_;
  std::set<std::string> declared_;  // exchanges
  Stop stop_;
  std::thread thread_;
};

}  // namespace god33::manager
