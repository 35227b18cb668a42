#pragma once

#include <thread>

#include "base/stop.h"
#include "pg/connection.h"

namespace god33::manager {

// Keeps the partitions of the coming months made. (The writer does so when it connects, and the log
// makes a missing one by itself; this is so that no append ever has to.)
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
