#pragma once

#include <thread>

#include "base/stop.h"
#include "pg/connection.h"

namespace god33::manager {

// Keeps the partitions of the coming months made, so that no append has to make one, and forgets old
// idempotency keys.
class Housekeeper {
 public:
  explicit Housekeeper(pg::Config database);
  ~Housekeeper();

  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;

 private:
  void Run();

  const pg::Config database_;
  Stop stop_;
  std::thread thread_;
};

}  // namespace god33::manager
