#include "services/gateway/metrics.h"

namespace god33::gateway {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

std::string VerbLabel(const std::string& verb) {
  for (const char* known : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    if (verb == known) return verb;
  }
  return "other";
}

}  // namespace

Metrics::Metrics(prometheus::Registry& registry)
    : requests_(prometheus::BuildCounter()
                    .Name("god33_http_requests_total")
                    .Help("HTTP requests answered")
                    .Register(registry)),
      durations_(prometheus::BuildHistogram()
                     .Name("god33_http_request_duration_seconds")
                     .Help("Time from a request's last byte to its answer")
                     .Register(registry)) {}

void Metrics::Count(const std::string& verb, const std::string& route, int status,
                    absl::Duration took) {
  requests_.Add({{"method", VerbLabel(verb)}, {"route", route}, {"status", std::to_string(status)}})
      .Increment();
  durations_.Add({{"route", route}}, kSeconds).Observe(absl::ToDoubleSeconds(took));
}

}  // namespace god33::gateway
