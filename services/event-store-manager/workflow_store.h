#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pg/connection.h"
#include "projection/workflow.h"
#include "workflow/chain.h"

namespace god33::manager {

// A workflow as the log has it at a position.
struct WorkflowReading {
  std::int64_t position = 0;  // the log's newest
  std::int64_t version = 0;   // of the aggregate; 0: there is none
  std::int64_t horizon =
      1;  // the first position that retention has left; nothing before it is read
  workflow::Chain chain;
  projection::WorkflowState state;
};

// An event as it was stored.
struct StoredStep {
  std::int64_t position = 0;
  std::string type;
  std::optional<Uuid> workflow;
  std::vector<Uuid> parents;
};

// What the log has of workflows. Statements of one connection; one thread.
class WorkflowStore {
 public:
  explicit WorkflowStore(pg::Connection& connection) : connection_(connection) {}

  // The aggregate that steps of a workflow advance.
  static std::string AggregateOf(const Uuid& workflow);

  // Whoever appends with the version that was read knows that no step was missed. DEADLINE_EXCEEDED
  // (QUERY_TOO_SLOW): the workflow has too many events.
  absl::StatusOr<WorkflowReading> Read(const Uuid& workflow);

  absl::StatusOr<std::optional<StoredStep>> Find(const Uuid& event_id);

 private:
  absl::Status ReadEvents(const Uuid& workflow, WorkflowReading& reading);

  pg::Connection& connection_;
};

}  // namespace god33::manager
