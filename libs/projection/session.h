#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/uuid.h"
#include "projection/fold_event.h"

// An agent's session (seed 001, table agent_sessions), as a fold of the agent.* events that name
// it. The rules are DESIGN.md, decision 24.

namespace god33::projection {

struct SessionState {
  Uuid id;
  std::string agent_type = "unknown";
  std::string agent_instance_id;  // empty: none
  std::string checkpoint_id;      // the newest; empty: none
  std::optional<Uuid> workflow_id;
  std::string project_name;  // empty: none
  absl::Time started_at;
  absl::Time last_active_at;
  std::optional<absl::Time> completed_at;
  std::string status = "active";       // active, paused, completed, failed
  std::int64_t checkpoints = 0;        // saved
  std::optional<Uuid> recovered_from;  // the session that this one goes on for
  std::string status_reason;           // of paused and failed ("cancelled: ..."); empty: none
  std::int64_t version = 0;
  std::int64_t position = 0;

  friend bool operator==(const SessionState&, const SessionState&) = default;
};

// The sessions whose state an event takes part in: the one that an agent.* event's payload names as
// session_id, and the one it names as new_session_id if there is no other or a recovery opens it.
std::vector<Uuid> SessionsOf(const FoldEvent& event);

// Folds the event into the state; errors as for workflows.
absl::Status Apply(const FoldEvent& event, SessionState& state);

std::string MetadataJson(const SessionState& state);
void ReadMetadata(std::string_view json, SessionState& state);

}  // namespace god33::projection
