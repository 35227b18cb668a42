#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "rpc/health.h"
#include "services/event-store-manager/log_writer.h"
#include "services/event-store-manager/sorter.h"

namespace god33::bench {

// The manager's way from a message's bytes into the log, without the bus, on DATABASE_URL's database.
class Store {
 public:
  Store();

  // Reads what the bus would carry.
  manager::Submission Read(std::string body);

  // Gives everything to the log writer, and returns when all is committed.
  void Write(std::vector<manager::Submission> submissions);

 private:
  SystemClock clock_;
  wire::PayloadRegistry registry_;
  manager::Sorter sorter_;
  prometheus::Registry metrics_registry_;
  manager::Metrics metrics_{metrics_registry_};
  rpc::Health health_;
  absl::Mutex mutex_;
  std::size_t untold_ ABSL_GUARDED_BY(mutex_) = 0;
  manager::LogWriter writer_;
};

// Settings of the manager's connections to DATABASE_URL.
pg::Config StoreDatabase();

}  // namespace god33::bench
