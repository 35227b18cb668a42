#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>

namespace god33::manager {

// What operators can see of the manager. Thread-safe.
class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry);

  // Events that are in the log since this process started, by the way they came in.
  prometheus::Counter& stored_from_bus;
  prometheus::Counter& stored_by_append;
  prometheus::Counter& duplicates;

  prometheus::Counter& batches;
  prometheus::Histogram& batch_events;
  prometheus::Histogram& commit_seconds;

  // From the receipt of a message or request to its commit.
  prometheus::Histogram& ingest_seconds;

  prometheus::Gauge& queued_events;  // waiting for the writer
  prometheus::Gauge& head_position;  // the newest position this process gave
  prometheus::Gauge& breaker_open;   // 1 while the database is away
  prometheus::Gauge& database_full;  // 1 while its disk is full

  prometheus::Counter& bus_connects;
  prometheus::Counter& database_connects;

  prometheus::Counter& relayed;       // appended events confirmed by the broker
  prometheus::Gauge& relay_position;  // everything up to here is on the bus
  prometheus::Gauge& broker_blocked;  // 1 while the broker takes nothing from the relay
  prometheus::Counter& replayed;      // messages of replays confirmed by the broker
  prometheus::Gauge& projection_position;
  prometheus::Counter& folded;
  prometheus::Gauge& frozen_folds;
  prometheus::Counter& adopted;  // events that joined a group through a late parent

  prometheus::Gauge& projection_job_running;   // 1 while one is worked on here
  prometheus::Gauge& projection_job_progress;  // 0 to 1: how much of the log it has folded
  prometheus::Counter& refolded;               // by jobs
  prometheus::Histogram& swap_seconds;

  // Retention, as the manager that holds the projector's lease sees it.
  prometheus::Gauge& horizon_position;  // the first position that is left
  prometheus::Gauge& months_due;        // months that may not be kept any longer
  prometheus::Counter& months_dropped;
  prometheus::Histogram& drop_seconds;

  // What people did with dead letters.
  prometheus::Counter& letters_sent_back;
  prometheus::Counter& letters_dropped;

  prometheus::Counter& DeadLetters(const std::string& reason);

  // 1 while this keeps the oldest month that is due (RetentionHold::reason).
  prometheus::Gauge& RetentionWaits(const std::string& reason);

 private:
  Metrics(prometheus::Family<prometheus::Counter>& stored,
          prometheus::Family<prometheus::Counter>& dead_letters,
          prometheus::Family<prometheus::Gauge>& retention_waits, prometheus::Registry& registry);

  prometheus::Family<prometheus::Counter>& dead_letters_;
  prometheus::Family<prometheus::Gauge>& retention_waits_;
};

}  // namespace god33::manager
