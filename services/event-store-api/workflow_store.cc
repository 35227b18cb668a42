#include "services/event-store-api/workflow_store.h"

#include <utility>

#include "base/error.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "projection/workflow.h"
#include "services/event-store-api/time_page.h"
#include "services/event-store-api/workflow_proto.h"
#include "services/event-store-api/workflow_row.h"
#include "wire/proto.h"

namespace god33::api {
namespace {

#define GOD33_WORKFLOW_COLUMNS                                                                    \
  "w.workflow_id, w.project_name, w.current_phase, w.current_agent, w.started_at, w.updated_at, " \
  "w.completed_at, w.metadata, w.correlation_ids, w.phase_history, w.agent_handoffs, w.version, " \
  "w.position, f.position, f.error, f.attempts, f.next_attempt_at"
#define GOD33_WORKFLOW_TABLES                               \
  " FROM workflow_state AS w LEFT JOIN fold_failures AS f " \
  "ON f.projection = 'workflow' AND f.aggregate_id = w.workflow_id "

constexpr int kPoint = 17;

constexpr pg::Statement kGet = {"get_workflow", "SELECT " GOD33_WORKFLOW_COLUMNS
                                                ", " GOD33_LOG_POINT_COLUMNS GOD33_WORKFLOW_TABLES
                                                "WHERE w.workflow_id = $1::uuid"};

void ReadWorkflow(const pg::Result& rows, int row, store::v1::Workflow& workflow) {
  ToProto(ReadWorkflowState(rows, row), workflow);
  if (!rows.IsNull(row, 13)) {
    store::v1::FoldFailure& failure = *workflow.mutable_frozen();
    failure.set_position(rows.Int8(row, 13));
    failure.set_error(std::string(rows.Bytes(row, 14)));
    failure.set_attempts(rows.Int4(row, 15));
    *failure.mutable_next_attempt_at() = wire::ToProto(rows.Time(row, 16));
  }
}

// The page behind `token`, newest update first.
Sql PageSql(const WorkflowQuery& query, const std::optional<TimeToken>& token) {
  Sql sql;
  std::string where;
  const auto add = [&where](std::string_view condition) {
    StrAppend(&where, where.empty() ? "WHERE " : " AND ", condition);
  };
  const auto equals = [&](const char* column, const std::string& value) {
    if (value.empty()) return;
    sql.params.Text(value);
    add(StrCat(column, " = $", sql.params.count(), "::text"));
  };
  equals("w.project_name", query.project_name);
  equals("w.current_phase", query.current_phase);
  equals("w.current_agent", query.current_agent);
  if (query.completed) {
    add(*query.completed ? "w.completed_at IS NOT NULL" : "w.completed_at IS NULL");
  }
  if (token) add(Behind(*token, "w.updated_at", "w.workflow_id", sql.params));
  sql.params.Int8(query.limit + 1);
  sql.text =
      StrCat("SELECT " GOD33_WORKFLOW_COLUMNS GOD33_WORKFLOW_TABLES, where,
             " ORDER BY w.updated_at DESC, w.workflow_id LIMIT $", sql.params.count(), "::bigint");
  return sql;
}

}  // namespace

std::string WorkflowQuery::Fingerprint() const {
  return Sha256Hex(StrCat(project_name.size(), ":", project_name, current_phase.size(), ":",
                          current_phase, current_agent.size(), ":", current_agent,
                          completed ? (*completed ? "c" : "r") : "-"))
      .substr(0, 16);
}

absl::StatusOr<WorkflowQuery> ReadQuery(const store::v1::ListWorkflowsRequest& request) {
  WorkflowQuery query;
  auto project = ReadText("project_name", request.has_project_name(), request.project_name());
  if (!project.ok()) return project.status();
  auto phase = ReadText("current_phase", request.has_current_phase(), request.current_phase());
  if (!phase.ok()) return phase.status();
  auto agent = ReadText("current_agent", request.has_current_agent(), request.current_agent());
  if (!agent.ok()) return agent.status();
  const auto limit = ReadLimit(request.has_limit(), request.limit());
  if (!limit.ok()) return limit.status();
  if (request.min_position() < 0) return InvalidField("min_position", "expected 0 or more");
  query.project_name = *std::move(project);
  query.current_phase = *std::move(phase);
  query.current_agent = *std::move(agent);
  if (request.has_completed()) query.completed = request.completed();
  query.limit = *limit;
  query.page_token = request.page_token();
  query.min_position = request.min_position();
  return query;
}

absl::Status WorkflowStore::List(const WorkflowQuery& query,
                                 store::v1::ListWorkflowsResponse& response) {
  const auto page = ReadTimePage(
      reader_,
      {.page_token = query.page_token,
       .fingerprint = query.Fingerprint(),
       .limit = query.limit,
       .min_position = query.min_position,
       .time_column = 5},
      [&query](const std::optional<TimeToken>& token) { return PageSql(query, token); });
  if (!page.ok()) return page.status();
  for (int i = 0; i < page->count; ++i) ReadWorkflow(page->rows, i, *response.add_workflows());
  response.set_next_page_token(page->next_page_token);
  response.set_position(page->position);
  return absl::OkStatus();
}

absl::StatusOr<FoldedAt> WorkflowStore::Get(const Uuid& id, std::int64_t min_position,
                                            store::v1::Workflow& workflow) {
  FoldedAt at;
  const absl::Status status = reader_.Run([&](pg::Connection& connection) -> absl::Status {
    workflow.Clear();
    if (min_position > 0) {
      const auto state = reader_.StateAt(connection, min_position, Reader::Of::kProjection);
      if (!state.ok()) return state.status();
    }
    const auto rows = connection.Query(kGet, pg::Params().Id(id));
    if (!rows.ok()) return rows.status();
    if (rows->rows() == 0) {
      return MakeError(absl::StatusCode::kNotFound, "WORKFLOW_NOT_FOUND",
                       StrCat("no workflow has the id ", id.ToString()), "workflow_id");
    }
    ReadWorkflow(*rows, 0, workflow);
    at = {.point = ReadLogPoint(*rows, 0, kPoint), .frozen = workflow.has_frozen()};
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return at;
}

}  // namespace god33::api
