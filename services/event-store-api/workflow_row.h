#pragma once

#include "pg/result.h"
#include "projection/workflow.h"

namespace god33::api {

// Reads a row of workflow_state that begins with workflow_id, project_name, current_phase, current_agent,
// started_at, updated_at, completed_at, metadata, correlation_ids, phase_history, agent_handoffs, version and
// position.
projection::WorkflowState ReadWorkflowState(const pg::Result& rows, int row);

}  // namespace god33::api
