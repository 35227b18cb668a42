#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "pg/connection.h"
#include "services/event-store-manager/metrics.h"

namespace god33::manager {

// Looks now and then whether the oldest month is due and nobody needs it any more; then asks for the job that
// folds its snapshot and drops it (refold.h). A part of the projector, under its lease: of several managers one
// decides, by its own configuration.
class Retention {
 public:
  // Keeps so many complete months besides the current one; 0: all, and it does nothing.
  Retention(int months, Metrics& metrics) : months_(months), metrics_(metrics) {}

  // `live` is the projector's connection, outside a transaction; errors are its.
  absl::Status Look(pg::Connection& live);

 private:
  const int months_;
  Metrics& metrics_;
  std::int64_t not_before_ = 0;  // monotonic nanoseconds
  std::string said_;             // why the month waits, as it was logged
};

}  // namespace god33::manager
