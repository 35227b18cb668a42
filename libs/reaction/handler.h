#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "pg/connection.h"
#include "sequence/unit.h"

namespace god33::reaction {

// An event that a service is to react to.
struct Incoming {
  // Envelope, facts and payload_errors; payload_errors is not empty for a known type whose payload breaks its
  // schema: fields may be missing or of another kind.
  sequence::NewEvent event;

  // Where it stands in the log; nullopt: it is not stored yet, and will be with the decision, right before it.
  std::optional<std::int64_t> position;
};

// What a service does about the events that it wants. React and Committed are called one at a time, by any of the
// reactor's threads; Concerns by all of them at once.
class Handler {
 public:
  virtual ~Handler() = default;

  // Whether the event means this service, as far as the event itself tells, e.g. by `to_agent`. Others cost
  // nothing: they are not marked and left to the manager. Must always say the same of the same event.
  virtual bool Concerns(const event::Envelope& /*envelope*/) const { return true; }

  // Reads and changes the service's own tables through `connection`, and returns the events it decides on; none
  // is a decision, too. It runs inside a transaction that the reactor begins (READ COMMITTED) and commits, after
  // it has appended the incoming event, unless that is stored already, and these events: all of it happens or
  // nothing does. Each event is handled once; a try that did not get to its commit left nothing and is made anew.
  // So nothing else may be done here: no COMMIT, no ROLLBACK, no call to another service, nothing kept in
  // memory that counts on the commit (Committed is for that). The transaction holds no lock on the log unless
  // eventlog::LockLog is called; it is ended by the server when it rests for 2 s (eventlog::WriterSettings).
  //
  // Errors: what pg::IsTransient says of, and a broken connection, are the database's fault: the event is kept and
  // tried again until it works; so are a schema or rights that are missing. Any other error is the event's fault:
  // after three tries it is recorded (Reactor::RetryFailures) and the next one is taken. So it is after six tries in
  // which the connection was lost or a statement took too long, while the database was there before and after.
  virtual absl::StatusOr<sequence::Unit> React(pg::Connection& connection,
                                               const Incoming& incoming) = 0;

  // The reaction is committed; wakes what works on it. Must not block. A process that dies gets no such call, and
  // neither does another replica: who wants to be sure looks into the tables at times.
  virtual void Committed(const Incoming& /*incoming*/) {}
};

}  // namespace god33::reaction
