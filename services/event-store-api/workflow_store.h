#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "god33/store/v1/event_store.pb.h"
#include "services/event-store-api/log_point.h"
#include "services/event-store-api/page_token.h"
#include "services/event-store-api/query.h"
#include "services/event-store-api/reader.h"

namespace god33::api {

struct WorkflowQuery {
  std::string project_name;
  std::string current_phase;
  std::string current_agent;
  std::optional<bool> completed;
  int limit = kDefaultLimit;
  std::string page_token;
  std::int64_t min_position = 0;

  std::string Fingerprint() const;
};

absl::StatusOr<WorkflowQuery> ReadQuery(const store::v1::ListWorkflowsRequest& request);

// Queries over the projection of workflows. Thread-safe; calls block.
class WorkflowStore {
 public:
  explicit WorkflowStore(Reader& reader) : reader_(reader) {}

  // Fills the answer. Errors: INVALID_ARGUMENT about page_token; those of Reader.
  absl::Status List(const WorkflowQuery& query, store::v1::ListWorkflowsResponse& response);

  // Fills `workflow`; returns where that was read. NOT_FOUND (WORKFLOW_NOT_FOUND).
  absl::StatusOr<FoldedAt> Get(const Uuid& id, std::int64_t min_position,
                               store::v1::Workflow& workflow);

 private:
  Reader& reader_;
};

}  // namespace god33::api
