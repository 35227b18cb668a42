#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/uuid.h"

namespace god33::projection {

// What the folds see of an event. Everything in it is a function of the log up to `since`, so
// folding the same log again gives the same state.
struct FoldEvent {
  Uuid id;
  std::string type;
  absl::Time time;  // the producer's clock
  std::int64_t position = 0;
  std::int64_t since =
      0;  // when it became a member of the workflow: its position, or a late parent's
  std::string agent_type;      // agent_context.type; empty: none
  std::string agent_instance;  // agent_context.instance_id; empty: none
  std::string payload;         // JSON text of an object
  std::vector<Uuid> parents;

  // For agent.handoff.accepted: to_agent of the hand-off among its parents, if that was stored
  // before.
  std::string handoff_to;

  // The workflow the event belongs to, for sessions (others don't look for it): the payload's own,
  // else the first inherited one.
  std::optional<Uuid> workflow;

  // For sessions: the project that the payload names, else that of the event's workflows if it was known
  // when the event was stored. The log's own column is filled later too, and so no function of the log up
  // to here.
  std::string project;
};

}  // namespace god33::projection
