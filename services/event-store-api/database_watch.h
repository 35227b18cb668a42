#pragma once

#include <thread>

#include "base/stop.h"
#include "rpc/health.h"
#include "services/event-store-api/reader.h"

namespace god33::api {

// Asks the database every few seconds whether it answers, and reports that as the component
// "postgresql".
class DatabaseWatch {
 public:
  DatabaseWatch(Reader& reader, rpc::Health& health);
  ~DatabaseWatch();

  DatabaseWatch(const DatabaseWatch&) = delete;
  DatabaseWatch& operator=(const DatabaseWatch&) = delete;

 private:
  void Run();

  Reader& reader_;
  rpc::Health& health_;
  Stop stop_;
  std::thread thread_;
};

}  // namespace god33::api
