#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "amqp/connection.h"
#include "amqp/topology.h"
#include "base/clock.h"
#include "pg/connection.h"
#include "reaction/handler.h"
#include "reaction/metrics.h"
#include "wire/registry.h"

// How a service reacts to events (DESIGN.md, decision 5).

namespace god33::reaction {

// Told how a component does, on any thread: "postgresql" and "rabbitmq", without which nothing goes on, and
// "reactions", which is not serving while there are events that could not be handled. `detail` says why, for
// people. Fits rpc::Health::Set.
using TellHealth =
    std::function<void(const std::string& component, bool serving, const std::string& detail)>;

struct Options {
  // Names the service in the tables, e.g. "letta-bridge"; its cursor is "reaction letta-bridge". Never to be
  // changed.
  std::string service;

  std::string holder;   // tells this process from the other replicas
  pg::Config database;  // with DatabaseSettings

  // The queues are declared, with their bindings, and consumed by every replica side by side, unless their
  // arguments ask for a single active consumer. A queue that exists with other arguments is an error that health
  // shows (amqp::DeclareQueue) until somebody mends it; the log is followed meanwhile.
  amqp::Config broker;
  std::string exchange;
  std::vector<amqp::Queue> queues;

  // Exactly these; other types are left to the manager. Of a type that a later version adds, what is at or below the
  // cursor counts as handled.
  absl::flat_hash_set<std::string> event_types;

  // Where a service begins that never ran before: at the first event of the log, or at the head as of then. In both
  // cases it also handles what waits in its queues, however old.
  bool from_beginning = false;

  std::uint16_t prefetch = 20;             // messages of each queue taken and not yet acked
  std::size_t max_event_bytes = 16 << 20;  // the manager's: larger messages are dead letters there

  // The log is swept at the start and then this often, up to what was its head `settle` ago: what came after that
  // the queue is about to bring.
  absl::Duration sweep_every = absl::Seconds(30);
  absl::Duration settle = absl::Seconds(5);
};

// Session settings that connections of Options::database and of Decide's pool need.
std::vector<std::pair<std::string, std::string>> DatabaseSettings();

// Has a handler react to every event of the wanted types that concerns it, exactly once over all replicas and
// restarts, whichever of queue and log brings it first. For each it runs one transaction: the event is marked as
// handled; the handler changes the service's tables and decides; the event is stored, unless it is, and the
// decided events right behind it; commit. Then the message is acked, or else delivered again and found to be a
// duplicate.
//
// - An event whose id is taken by other content is not reacted to: the manager makes it a dead letter.
// - What can't be read, is too large, of another type or of no concern is acked and left to the manager.
// - While the database is away messages are kept, unacked, and the reaction is tried again with growing waits.
// - An event that the handler fails at three times is recorded in reaction_failures and counts as handled. It is
//   tried again at the next start, and when RetryFailures is called.
// - The sweep (Options::sweep_every) finds in the log what no queue has brought: the queue was lost, or did not
//   exist, or the broker is away. Order is the log's for what it finds; the queue's otherwise: the handler must not
//   count on either.
class Reactor {
 public:
  // Starts its threads. `handler` and what else is referred to must outlive it.
  Reactor(Options options, Handler& handler, const wire::PayloadRegistry& registry, Clock& clock,
          Metrics& metrics, TellHealth tell_health);

  // Finishes the reaction under way and stops. What was taken and not handled goes back to the queue.
  ~Reactor();

  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // Has all events in reaction_failures tried once more, soon, by the sweep. Thread-safe.
  void RetryFailures();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace god33::reaction
