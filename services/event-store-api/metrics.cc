#include "services/event-store-api/metrics.h"

namespace god33::api {
namespace {

prometheus::Counter& Counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Gauge& Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

Metrics::Metrics(prometheus::Registry& registry)
    : calls_(prometheus::BuildCounter()
                 .Name("god33_queries_total")
                 .Help("Calls answered, by method and status")
                 .Register(registry)),
      seconds_(prometheus::BuildHistogram()
                   .Name("god33_query_duration_seconds")
                   .Help("Time to answer a call")
                   .Register(registry)) {}

void Metrics::Count(const std::string& method, const std::string& code, double seconds) {
  calls_.Add({{"method", method}, {"code", code}}).Increment();
  seconds_
      .Add({{"method", method}},
           prometheus::Histogram::BucketBoundaries{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                   0.2, 0.5, 1, 2.5, 5})
      .Observe(seconds);
}

namespace {

prometheus::Counter& CacheCounter(prometheus::Registry& registry, const char* name,
                                  const char* help, const prometheus::Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
}

CacheCounters CountersOf(prometheus::Registry& registry, const char* cache) {
  const prometheus::Labels labels{{"cache", cache}};
  return {
      .hits = CacheCounter(registry, "god33_cache_hits_total", "Answers found in memory", labels),
      .misses = CacheCounter(registry, "god33_cache_misses_total",
                             "Answers looked for in memory and not found", labels),
      .evictions = CacheCounter(registry, "god33_cache_evictions_total",
                                "Answers dropped from memory to make room", labels),
      .entries = prometheus::BuildGauge()
                     .Name("god33_cache_entries")
                     .Help("Answers held in memory")
                     .Register(registry)
                     .Add(labels)};
}

prometheus::Counter& Bypasses(prometheus::Registry& registry, const char* reason) {
  return CacheCounter(registry, "god33_cache_bypasses_total",
                      "Answers not taken from memory since it may be behind", {{"reason", reason}});
}

}  // namespace

CacheMetrics::CacheMetrics(prometheus::Registry& registry)
    : event(CountersOf(registry, "event")),
      workflow(CountersOf(registry, "workflow")),
      session(CountersOf(registry, "session")),
      causation(CountersOf(registry, "causation")),
      bypassed_tail(Bypasses(registry, "tail")),
      bypassed_min_position(Bypasses(registry, "min_position")),
      bytes(Gauge(registry, "god33_cache_bytes",
                  "Size of the events, workflows and sessions held in memory")) {}

StreamMetrics::StreamMetrics(prometheus::Registry& registry)
    : open(Gauge(registry, "god33_streams_open", "Live streams that are open")),
      events(Counter(registry, "god33_stream_events_total", "Events sent on live streams")),
      cut_off(Counter(registry, "god33_streams_cut_off_total",
                      "Live streams ended because their client did not read")),
      refused(Counter(registry, "god33_streams_refused_total",
                      "Live streams refused because too many were open")),
      catch_up_reads(Counter(registry, "god33_stream_catch_up_reads_total",
                             "Reads of the database for streams that were behind")),
      tail_position(Gauge(registry, "god33_stream_tail_position",
                          "Position up to which live streams are fed")),
      tail_lag(Gauge(registry, "god33_stream_tail_lag_events",
                     "Stored events that live streams have not been fed yet")),
      horizon(Gauge(registry, "god33_log_horizon_position",
                    "The first position that retention has left")) {}

}  // namespace god33::api
