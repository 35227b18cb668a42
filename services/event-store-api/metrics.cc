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
                     "Stored events that live streams have not been fed yet")) {}

}  // namespace god33::api
