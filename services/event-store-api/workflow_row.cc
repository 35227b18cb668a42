#include "services/event-store-api/workflow_row.h"

#include <vector>

namespace god33::api {

projection::WorkflowState ReadWorkflowState(const pg::Result& rows, int row) {
  projection::WorkflowState state;
  state.id = rows.Id(row, 0);
  state.project_name = rows.Bytes(row, 1);
  state.current_phase = rows.Bytes(row, 2);
  state.current_agent = rows.Bytes(row, 3);
  state.started_at = rows.Time(row, 4);
  state.updated_at = rows.Time(row, 5);
  state.completed_at = rows.OptionalTime(row, 6);
  projection::ReadMetadata(rows.Bytes(row, 7), state);
  const std::vector<Uuid> events = rows.Ids(row, 8);
  state.events = {events.begin(), events.end()};
  projection::ReadPhaseHistory(rows.Bytes(row, 9), state);
  projection::ReadHandoffs(rows.Bytes(row, 10), state);
  state.version = rows.Int8(row, 11);
  state.position = rows.Int8(row, 12);
  return state;
}

}  // namespace god33::api
