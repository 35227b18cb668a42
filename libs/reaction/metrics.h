#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace god33::reaction {

// What operators can see of a service's reactions. One for a registry. Thread-safe.
class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry);

  // god33_reactions_total, by what became of an event.
  prometheus::Counter& handled;
  prometheus::Counter& duplicates;    // it had been handled before
  prometheus::Counter& left;          // unreadable, of another type, or of no concern
  prometheus::Counter& id_conflicts;  // its id is taken by other content
  prometheus::Counter& failed;        // recorded in reaction_failures

  prometheus::Counter& caught_up;  // handled by the sweep, before a queue brought them
  prometheus::Counter& retries;    // tries that failed and were, or will be, made anew
  prometheus::Histogram& seconds;  // of one reaction, from BEGIN to COMMIT
  prometheus::Gauge& failures;     // events in reaction_failures

  prometheus::Gauge& cursor_position;  // all wanted events up to here are handled
  prometheus::Gauge& sweep_lag;  // events of the log behind the cursor, when the last sweep ended
  prometheus::Counter& bus_connects;

 private:
  Metrics(prometheus::Family<prometheus::Counter>& reactions, prometheus::Registry& registry);
};

}  // namespace god33::reaction
