#pragma once

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>

#include "absl/time/time.h"

namespace god33::gateway {

// What operators can see of the REST side. Labels come from the routes, never from what a client
// made up: an unknown verb is "other", an unknown path "unmatched". Thread-safe.
class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry);

  // `route` is a path template.
  void Count(const std::string& verb, const std::string& route, int status, absl::Duration took);

 private:
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
};

}  // namespace god33::gateway
