#include "services/letta-bridge/metrics.h"

namespace god33::letta {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {0.005, 0.01, 0.025, 0.05, 0.1,
                                                          0.25,  0.5,  1,     2.5,  5};

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry, const char* name,
                                                  const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Counter& OnlyCounter(prometheus::Registry& registry, const char* name,
                                 const char* help) {
  return Counters(registry, name, help).Add({});
}

prometheus::Family<prometheus::Gauge>& Gauges(prometheus::Registry& registry, const char* name,
                                              const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

prometheus::Histogram& Seconds(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, kSeconds);
}

}  // namespace

Metrics::Metrics(prometheus::Registry& registry)
    : handoffs_(Counters(registry, "god33_handoffs_total", "Hand-offs to letta-*, by outcome")),
      tasks_(Counters(registry, "god33_tasks_total", "Tasks that ended, by outcome")),
      open_(Gauges(registry, "god33_tasks_open", "Tasks that are not over, by status")),
      handoffs_taken(handoffs_.Add({{"outcome", "taken"}})),
      handoffs_rejected(handoffs_.Add({{"outcome", "rejected"}})),
      handoffs_repeated(handoffs_.Add({{"outcome", "repeated"}})),
      tasks_completed(tasks_.Add({{"outcome", "completed"}})),
      tasks_blocked(tasks_.Add({{"outcome", "blocked"}})),
      tasks_cancelled(tasks_.Add({{"outcome", "cancelled"}})),
      tasks_waiting(open_.Add({{"status", "waiting"}})),
      tasks_active(open_.Add({{"status", "active"}})),
      tasks_paused(open_.Add({{"status", "paused"}})),
      tasks_recovering(open_.Add({{"status", "recovering"}})),
      answers_late(OnlyCounter(registry, "god33_late_answers_total",
                               "Answers to questions that were settled already")),
      sessions_failed(OnlyCounter(registry, "god33_sessions_failed_total", "Sessions that failed")),
      recoveries(OnlyCounter(registry, "god33_recoveries_total",
                             "Tasks that went on from a checkpoint after a failure")),
      leases_lost(OnlyCounter(registry, "god33_leases_lost_total",
                              "Tasks given up because another bridge has them")),
      checkpoints(OnlyCounter(registry, "god33_checkpoints_total", "Checkpoints saved")),
      checkpoint_seconds(Seconds(registry, "god33_checkpoint_seconds",
                                 "How long the agent rests while a checkpoint is saved")),
      accept_seconds(
          Seconds(registry, "god33_accept_seconds", "From taking a hand-off up to its acceptance")),
      tool_calls(OnlyCounter(registry, "god33_tool_calls_total", "Calls of tools by agents")),
      runs(Gauges(registry, "god33_runs", "Tasks that this bridge works on").Add({})),
      letta_up(Gauges(registry, "god33_letta_up", "1 while Letta answers").Add({})),
      waits_for_agent(OnlyCounter(registry, "god33_agent_waits_total",
                                  "Times that a task found no free agent of its type")) {}

}  // namespace god33::letta
