#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/uuid.h"
#include "event/envelope.h"

namespace god33::event {

// What the store filters on, taken out of an event into typed columns: JSON operators are not
// leakproof, so below row-level security they could use no index.
struct Facts {
  std::optional<Uuid> workflow_id;       // payload.workflow_id
  std::optional<Uuid> collaboration_id;  // payload.collaboration_id
  std::optional<Uuid> session_id;        // payload.session_id, else payload.new_session_id
  std::string project;                   // payload.project_name; empty: none

  // The first non-empty of agent_context.instance_id, payload.agent_instance_id, payload.agent_id,
  // agent_context.type, payload.from_agent (DESIGN.md, decision 20); empty: none.
  std::string agent_id;

  std::string
      checkpoint_id;  // agent_context.checkpoint_id, else payload.checkpoint_id; empty: none
};

// Texts longer than 255 bytes or holding NUL, and ids that are no UUIDs, count as absent: no index
// can hold the one, no filter can ask for the other. The payload keeps them all the same.
Facts FactsOf(const Envelope& envelope);

// Facts::project alone, of a payload's JSON text.
std::string ProjectNamedIn(std::string_view payload);

}  // namespace god33::event
