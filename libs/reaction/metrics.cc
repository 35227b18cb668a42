#include "reaction/metrics.h"

namespace god33::reaction {
namespace {

prometheus::Counter& Counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Gauge& Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

const prometheus::Histogram::BucketBoundaries kSeconds = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

}  // namespace

Metrics::Metrics(prometheus::Registry& registry)
    : Metrics(prometheus::BuildCounter()
                  .Name("god33_reactions_total")
                  .Help("Events that came to the service, by what became of them")
                  .Register(registry),
              registry) {}

Metrics::Metrics(prometheus::Family<prometheus::Counter>& reactions, prometheus::Registry& registry)
    : handled(reactions.Add({{"outcome", "handled"}})),
      duplicates(reactions.Add({{"outcome", "duplicate"}})),
      left(reactions.Add({{"outcome", "left"}})),
      id_conflicts(reactions.Add({{"outcome", "id_conflict"}})),
      failed(reactions.Add({{"outcome", "failed"}})),
      caught_up(Counter(registry, "god33_reactions_caught_up_total",
                        "Events that were found in the log before a queue brought them")),
      retries(Counter(registry, "god33_reaction_retries_total", "Reactions that failed once")),
      seconds(prometheus::BuildHistogram()
                  .Name("god33_reaction_duration_seconds")
                  .Help("Time of one reaction, with its commit")
                  .Register(registry)
                  .Add({}, kSeconds)),
      failures(Gauge(registry, "god33_reaction_failures",
                     "Events that could not be handled (table reaction_failures)")),
      cursor_position(Gauge(registry, "god33_reaction_cursor_position",
                            "All wanted events up to this position are handled")),
      sweep_lag(Gauge(registry, "god33_reaction_sweep_lag_events",
                      "Events of the log behind the cursor when the last sweep ended")),
      bus_connects(
          Counter(registry, "god33_bus_connects_total", "Connections made to the broker")) {}

}  // namespace god33::reaction
