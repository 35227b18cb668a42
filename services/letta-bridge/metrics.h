#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace god33::letta {

// What operators can see of the bridge. Thread-safe.
class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry);

 private:
  prometheus::Family<prometheus::Counter>& handoffs_;
  prometheus::Family<prometheus::Counter>& tasks_;
  prometheus::Family<prometheus::Gauge>& open_;

 public:
  // god33_handoffs_total, by what became of a hand-off when it came.
  prometheus::Counter& handoffs_taken;
  prometheus::Counter& handoffs_rejected;
  prometheus::Counter& handoffs_repeated;

  // god33_tasks_total, by how a task ended here.
  prometheus::Counter& tasks_completed;
  prometheus::Counter& tasks_blocked;
  prometheus::Counter& tasks_cancelled;

  // god33_tasks_open, by status, of all bridges.
  prometheus::Gauge& tasks_waiting;
  prometheus::Gauge& tasks_active;
  prometheus::Gauge& tasks_paused;
  prometheus::Gauge& tasks_recovering;

  prometheus::Counter& answers_late;
  prometheus::Counter& sessions_failed;
  prometheus::Counter& recoveries;
  prometheus::Counter& leases_lost;
  prometheus::Counter& checkpoints;
  prometheus::Histogram& checkpoint_seconds;
  prometheus::Histogram& accept_seconds;  // from taking a hand-off up to its acceptance
  prometheus::Counter& tool_calls;
  prometheus::Gauge& runs;  // tasks that this bridge works on
  prometheus::Gauge& letta_up;
  prometheus::Counter& waits_for_agent;  // times a task found no free agent
};

}  // namespace god33::letta
