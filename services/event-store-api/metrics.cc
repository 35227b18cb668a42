#include "services/event-store-api/metrics.h"

namespace god33::api {

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

}  // namespace god33::api
