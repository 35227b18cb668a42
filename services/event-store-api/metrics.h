#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>

namespace god33::api {

// What operators can see of the API. Thread-safe.
class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry);

  // Counts one call and its time, the wait for the executor included.
  void Count(const std::string& method, const std::string& code, double seconds);

 private:
  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Histogram>& seconds_;
};

// Of one cache.
struct CacheCounters {
  prometheus::Counter& hits;
  prometheus::Counter& misses;
  prometheus::Counter& evictions;
  prometheus::Gauge& entries;
};

// Of answers that are held in memory. Thread-safe.
struct CacheMetrics {
  explicit CacheMetrics(prometheus::Registry& registry);

  CacheCounters event;
  CacheCounters workflow;
  CacheCounters session;
  CacheCounters causation;
  prometheus::Counter& bypassed_tail;
  prometheus::Counter& bypassed_min_position;
  prometheus::Gauge& bytes;  // of all but causation
};

// The same of live streams. Thread-safe.
struct StreamMetrics {
  explicit StreamMetrics(prometheus::Registry& registry);

  prometheus::Gauge& open;
  prometheus::Counter& events;
  prometheus::Counter& cut_off;
  prometheus::Counter& refused;
  prometheus::Counter& catch_up_reads;
  prometheus::Gauge& tail_position;
  prometheus::Gauge& tail_lag;
  prometheus::Gauge& horizon;
};

}  // namespace god33::api
