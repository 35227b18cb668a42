#include "services/event-store-manager/projection_request.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "services/event-store-manager/retention_plan.h"
#include "wire/proto.h"

namespace god33::manager {
namespace {

absl::StatusOr<Uuid> ReadId(const char* field, const std::string& text) {
  if (const auto id = Uuid::Parse(text)) return *id;
  return InvalidField(field, StrCat("expected a UUID, got \"", Clip(text, 80), "\""));
}

}  // namespace

absl::StatusOr<ProjectionScope> ReadScope(const store::v1::VerifyProjectionsRequest& request) {
  if (request.has_workflow_id() && request.has_session_id()) {
    return InvalidField("session_id", "expected workflow_id or session_id, not both");
  }
  ProjectionScope scope;
  if (request.has_workflow_id()) {
    const auto id = ReadId("workflow_id", request.workflow_id());
    if (!id.ok()) return id.status();
    scope.workflow = *id;
  }
  if (request.has_session_id()) {
    const auto id = ReadId("session_id", request.session_id());
    if (!id.ok()) return id.status();
    scope.session = *id;
  }
  return scope;
}

absl::StatusOr<Uuid> ReadJobId(const std::string& text) {
  return ReadId("job_id", text);
}

absl::Status CheckState(const std::string& text) {
  for (const char* state : {"", "running", "completed", "cancelled", "failed"}) {
    if (text == state) return absl::OkStatus();
  }
  return InvalidField("state", "expected running, completed, cancelled, failed or nothing");
}

void ToProto(const ProjectionJob& job, store::v1::ProjectionJob& message) {
  message.set_job_id(job.id.ToString());
  message.set_kind(job.kind);
  message.set_state(job.state);
  message.set_phase(job.phase);
  if (job.scope.workflow) message.set_workflow_id(job.scope.workflow->ToString());
  if (job.scope.session) message.set_session_id(job.scope.session->ToString());
  message.set_position(job.cursor.position);
  message.set_target(job.target);
  message.set_folded(job.folded);
  if (job.month) message.set_month(MonthText(*job.month));
  const bool compared =
      job.kind != "snapshot" && (job.phase == "swapping" || job.state == "completed");
  if (compared) message.set_matches(job.counts.differing() == 0);
  if (compared && job.compared_at) message.set_compared_at(*job.compared_at);
  message.set_checked(job.counts.checked);
  message.set_differing(job.counts.differing());
  message.set_changed(job.counts.changed);
  message.set_added(job.counts.added);
  message.set_removed(job.counts.removed);
  if (job.generation) message.set_generation(*job.generation);
  message.set_error(job.error);
  *message.mutable_created_at() = wire::ToProto(job.created_at);
  *message.mutable_updated_at() = wire::ToProto(job.updated_at);
  if (job.ended_at) *message.mutable_ended_at() = wire::ToProto(*job.ended_at);
}

void ToProto(const ProjectionDifference& difference, store::v1::ProjectionDifference& message) {
  message.set_table(difference.table);
  message.set_id(difference.id.ToString());
  message.set_difference(difference.difference);
  message.set_column(difference.column);
  if (difference.live) message.set_live(*difference.live);
  if (difference.folded) message.set_folded(*difference.folded);
}

void ToProto(const ProjectionStatus& status, store::v1::GetProjectionsResponse& message) {
  message.set_position(status.position);
  message.set_head(status.head);
  message.set_lag(std::max<std::int64_t>(0, status.head - status.position));
  message.set_generation(status.generation);
  message.set_frozen(status.frozen);
  for (const ProjectionStore::Failure& failure : status.failures) {
    store::v1::FrozenAggregate& frozen = *message.add_frozen_aggregates();
    frozen.set_projection(failure.projection);
    frozen.set_id(failure.aggregate.ToString());
    frozen.set_position(failure.position);
    frozen.set_error(failure.error);
    frozen.set_attempts(failure.attempts);
  }
}

}  // namespace god33::manager
