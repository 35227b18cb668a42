#pragma once

#include <cstdint>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "eventlog/dead_letter.h"
#include "sequence/unit.h"

namespace god33::manager {

// Something that is to go into the log: a unit of events, or a message that is to be set aside.
struct Submission {
  // Told once, after the commit, on the writer's thread, which it must not block. A message from
  // the bus is told OK when it is stored, was stored before, or is a dead letter; never an error:
  // until it is one of these it is kept. Dropped untold, a message stays unacked and is delivered
  // again.
  using Done = absl::AnyInvocable<void(absl::StatusOr<sequence::Outcome>) &&>;

  sequence::Unit unit;                              // no events: only the dead letter
  std::optional<eventlog::Origin> origin;           // of a message from the bus
  std::optional<eventlog::DeadLetter> dead_letter;  // decided when it was read
  std::size_t bytes = 0;
  std::int64_t received_nanos = 0;  // MonotonicNanos()
  Done done;

  // A try ended without an answer, so what it wrote may be committed.
  bool tried = false;

  bool from_bus() const { return origin.has_value() || dead_letter.has_value(); }
  bool redelivered() const { return origin && origin->redelivered; }
};

}  // namespace god33::manager
