#pragma once

#include "absl/status/status.h"

namespace god33::reaction {

// Whose fault a failed transaction is.
enum class Fault {
  kRace,  // another transaction was in the way: nothing was written, and the same may work at once
  kDatabase,  // it is away, full or busy, or lacks this version's schema: the same will work later
  kOwn,       // what was asked for can't be done
};

Fault FaultOf(const absl::Status& failure);

}  // namespace god33::reaction
