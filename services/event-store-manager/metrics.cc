#include "services/event-store-manager/metrics.h"

namespace god33::manager {
namespace {

prometheus::Counter& Counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Gauge& Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Histogram& Histogram(prometheus::Registry& registry, const char* name, const char* help,
                                 const prometheus::Histogram::BucketBoundaries& buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

const prometheus::Histogram::BucketBoundaries kSeconds = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
const prometheus::Histogram::BucketBoundaries kEvents = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};

}  // namespace

Metrics::Metrics(prometheus::Registry& registry)
    : Metrics(prometheus::BuildCounter()
                  .Name("god33_events_stored_total")
                  .Help("Events stored, by the way they came in")
                  .Register(registry),
              prometheus::BuildCounter()
                  .Name("god33_dead_letters_total")
                  .Help("Messages set aside, by reason")
                  .Register(registry),
              prometheus::BuildGauge()
                  .Name("god33_retention_waiting")
                  .Help("1 while this keeps the oldest month that is due from being dropped")
                  .Register(registry),
              registry) {}

Metrics::Metrics(prometheus::Family<prometheus::Counter>& stored,
                 prometheus::Family<prometheus::Counter>& dead_letters,
                 prometheus::Family<prometheus::Gauge>& retention_waits,
                 prometheus::Registry& registry)
    : stored_from_bus(stored.Add({{"source", "bus"}})),
      stored_by_append(stored.Add({{"source", "append"}})),
      duplicates(Counter(registry, "god33_events_duplicate_total",
                         "Events that had been stored before with the same content")),
      batches(Counter(registry, "god33_batches_total", "Batches committed")),
      batch_events(Histogram(registry, "god33_batch_events", "Events in a batch", kEvents)),
      commit_seconds(Histogram(registry, "god33_commit_duration_seconds",
                               "Time to store one batch, with its look-ups", kSeconds)),
      ingest_seconds(Histogram(registry, "god33_ingest_duration_seconds",
                               "Time from the receipt of an event to its commit", kSeconds)),
      queued_events(Gauge(registry, "god33_writer_queued_events", "Events waiting for the writer")),
      head_position(
          Gauge(registry, "god33_log_head_position", "The newest position this process has given")),
      breaker_open(Gauge(registry, "god33_database_breaker_open",
                         "1 while the circuit breaker keeps calls from the database")),
      database_full(Gauge(registry, "god33_database_full",
                          "1 while nothing is stored since the database's disk is full")),
      bus_connects(Counter(registry, "god33_bus_connects_total", "Connections made to the broker")),
      database_connects(
          Counter(registry, "god33_database_connects_total", "Writer connections made")),
      relayed(Counter(registry, "god33_relayed_events_total",
                      "Appended events that the broker has confirmed")),
      relay_position(Gauge(registry, "god33_relay_position",
                           "Appended events up to this position are on the bus")),
      broker_blocked(Gauge(registry, "god33_broker_blocked",
                           "1 while the broker is in alarm and takes no messages from the relay")),
      replayed(Counter(registry, "god33_replayed_events_total",
                       "Messages of replays that the broker has confirmed")),
      projection_position(
          Gauge(registry, "god33_projection_position", "Events up to this position are folded")),
      folded(Counter(registry, "god33_folded_events_total", "Events folded into projections")),
      frozen_folds(Gauge(registry, "god33_projection_frozen",
                         "Workflows and sessions whose fold failed and stands still")),
      adopted(Counter(registry, "god33_adopted_events_total",
                      "Events that joined a workflow or collaboration through a late parent")),
      projection_job_running(Gauge(registry, "god33_projection_job_running",
                                   "1 while this process rebuilds or verifies the projections")),
      projection_job_progress(Gauge(registry, "god33_projection_job_progress",
                                    "How much of the log the running job has folded, 0 to 1")),
      refolded(Counter(registry, "god33_refolded_events_total",
                       "Events folded again by rebuilds and verifications")),
      swap_seconds(Histogram(registry, "god33_projection_swap_seconds",
                             "Time to put rebuilt projections in the place of the old ones",
                             kSeconds)),
      horizon_position(Gauge(registry, "god33_retention_horizon_position",
                             "The first position that retention has left")),
      months_due(Gauge(registry, "god33_retention_months_due",
                       "Months older than retention keeps, which are not dropped yet")),
      months_dropped(Counter(registry, "god33_retention_months_dropped_total",
                             "Months of the log dropped by this process")),
      drop_seconds(Histogram(registry, "god33_retention_drop_seconds",
                             "Time to put a snapshot in place and drop its month", kSeconds)),
      letters_sent_back(
          Counter(registry, "god33_dead_letters_sent_back_total", "Dead letters published again")),
      letters_dropped(
          Counter(registry, "god33_dead_letters_dropped_total", "Dead letters dropped by people")),
      dead_letters_(dead_letters),
      retention_waits_(retention_waits) {}

prometheus::Counter& Metrics::DeadLetters(const std::string& reason) {
  return dead_letters_.Add({{"reason", reason}});
}

prometheus::Gauge& Metrics::RetentionWaits(const std::string& reason) {
  return retention_waits_.Add({{"reason", reason}});
}

}  // namespace god33::manager
