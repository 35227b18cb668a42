#include "services/event-store-api/lookups.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "projection/workflow.h"
#include "services/event-store-api/event_proto.h"
#include "services/event-store-api/query.h"

namespace god33::api {
namespace {

namespace v1 = store::v1;
using Count = AnswerCache::Count;

// A read takes about a millisecond. Who has waited this long for another one's goes himself.
constexpr absl::Duration kMostWait = absl::Milliseconds(50);

v1::Workflow& ValueOf(v1::GetWorkflowResponse& response) {
  return *response.mutable_workflow();
}
v1::Workflow& ValueOf(v1::GetWorkflowStateResponse& response) {
  return *response.mutable_workflow();
}
v1::AgentSession& ValueOf(v1::GetSessionResponse& response) {
  return *response.mutable_session();
}
event::v1::EventEnvelope& ValueOf(v1::GetEventResponse& response) {
  return *response.mutable_event();
}

// `min_position` below 0 and ids that are none are for Read to refuse.
template <typename Response>
bool FindIn(AnswerCache& cache, AnswerKind kind, const std::string& text, std::int64_t min_position,
            const auth::Principal& principal, Count count, Response& response) {
  if (!cache.on() || min_position < 0) return false;
  const std::optional<Uuid> id = Uuid::Parse(text);
  if (!id) return false;
  const auto found =
      cache.Find({.kind = kind, .id = *id}, min_position, principal, MonotonicNanos(), count);
  if (!found) return false;
  ValueOf(response).CopyFrom(*found.message);
  if constexpr (requires { response.set_position(0); }) response.set_position(found.position);
  return true;
}

// "unknown" stands for none.
std::string ProjectOf(const v1::Workflow& workflow) {
  const std::string& project = workflow.project_name();
  return project == projection::WorkflowState().project_name ? std::string() : project;
}

template <typename Message>
std::shared_ptr<const Message> Shared(const Message& message) {
  return std::make_shared<const Message>(message);
}

}  // namespace

bool Lookups::Find(const v1::GetEventRequest& request, const auth::Principal& principal,
                   v1::GetEventResponse& response) {
  return FindIn(cache_, AnswerKind::kEvent, request.event_id(), request.min_position(), principal,
                Count::kYes, response);
}

bool Lookups::Find(const v1::GetWorkflowRequest& request, const auth::Principal& principal,
                   v1::GetWorkflowResponse& response) {
  return FindIn(cache_, AnswerKind::kWorkflow, request.workflow_id(), request.min_position(),
                principal, Count::kYes, response);
}

bool Lookups::Find(const v1::GetWorkflowStateRequest& request, const auth::Principal& principal,
                   v1::GetWorkflowStateResponse& response) {
  if (request.has_at_position() || request.has_at_time()) return false;
  return FindIn(cache_, AnswerKind::kWorkflow, request.workflow_id(), request.min_position(),
                principal, Count::kYes, response);
}

bool Lookups::Find(const v1::GetSessionRequest& request, const auth::Principal& principal,
                   v1::GetSessionResponse& response) {
  return FindIn(cache_, AnswerKind::kSession, request.session_id(), request.min_position(),
                principal, Count::kYes, response);
}

Lookups::Turn Lookups::TurnFor(const AnswerKey& key, std::int64_t min_position) {
  if (!cache_.Serves(key, min_position, MonotonicNanos())) return Turn();
  return turns_.Take(key, kMostWait);
}

absl::Status Lookups::Read(const v1::GetEventRequest& request, const auth::Principal& principal,
                           v1::GetEventResponse& response) {
  const auto id = ReadId("event_id", request.event_id());
  if (!id.ok()) return id.status();
  const AnswerKey key{.kind = AnswerKind::kEvent, .id = *id};
  const Turn turn = TurnFor(key, request.min_position());
  if (turn.waited() && FindIn(cache_, key.kind, request.event_id(), request.min_position(),
                              principal, Count::kNo, response)) {
    return absl::OkStatus();
  }
  auto event = events_.Get(*id, request.min_position());
  if (!event.ok()) return event.status();
  api::ToProto(event->event, *response.mutable_event());
  cache_.Put(key, {.message = Shared(response.event()),
                   .point = {.log_id = event->log_id},
                   .oldest = event->event.position,
                   .project = std::move(event->project)});
  return absl::OkStatus();
}

template <typename Response>
absl::Status Lookups::ReadWorkflow(const Uuid& id, std::int64_t min_position,
                                   const auth::Principal& principal, Response& response) {
  const AnswerKey key{.kind = AnswerKind::kWorkflow, .id = id};
  const Turn turn = TurnFor(key, min_position);
  if (turn.waited() &&
      FindIn(cache_, key.kind, id.ToString(), min_position, principal, Count::kNo, response)) {
    return absl::OkStatus();
  }
  const auto at = workflows_.Get(id, min_position, *response.mutable_workflow());
  if (!at.ok()) return at.status();
  response.set_position(at->point.projected);
  cache_.Put(key, {.message = Shared(response.workflow()),
                   .point = at->point,
                   .project = ProjectOf(response.workflow()),
                   .frozen = at->frozen});
  return absl::OkStatus();
}

absl::Status Lookups::Read(const v1::GetWorkflowRequest& request, const auth::Principal& principal,
                           v1::GetWorkflowResponse& response) {
  const auto id = ReadId("workflow_id", request.workflow_id());
  if (!id.ok()) return id.status();
  return ReadWorkflow(*id, request.min_position(), principal, response);
}

absl::Status Lookups::Read(const v1::GetWorkflowStateRequest& request,
                           const auth::Principal& principal,
                           v1::GetWorkflowStateResponse& response) {
  const auto query = ReadQuery(request);
  if (!query.ok()) return query.status();
  if (query->now()) return ReadWorkflow(query->workflow, query->min_position, principal, response);
  const auto position = history_.Get(*query, *response.mutable_workflow());
  if (!position.ok()) return position.status();
  response.set_position(*position);
  return absl::OkStatus();
}

absl::Status Lookups::Read(const v1::GetSessionRequest& request, const auth::Principal& principal,
                           v1::GetSessionResponse& response) {
  // The name may be an agent's: that is not remembered.
  const std::optional<Uuid> asked = Uuid::Parse(request.session_id());
  const AnswerKey key{.kind = AnswerKind::kSession, .id = asked.value_or(Uuid())};
  const Turn turn = asked ? TurnFor(key, request.min_position()) : Turn();
  if (turn.waited() && FindIn(cache_, key.kind, request.session_id(), request.min_position(),
                              principal, Count::kNo, response)) {
    return absl::OkStatus();
  }
  v1::AgentSession& session = *response.mutable_session();
  const auto at = sessions_.Get(request.session_id(), request.min_position(), session);
  if (!at.ok()) return at.status();
  const auto id = ReadId("session_id", session.session_id());
  if (!id.ok()) return id.status();
  // Read after the state, so they are no older than it.
  const auto checkpoints = events_.List(CheckpointsOf(*id));
  if (!checkpoints.ok()) return checkpoints.status();
  for (const auto& event : checkpoints->events) ToProto(event, *session.add_checkpoints());
  response.set_position(at->point.projected);
  if (asked == *id) {
    cache_.Put(
        key,
        {.message = Shared(session),
         .point = at->point,
         .oldest = session.checkpoints().empty() ? 0 : session.checkpoints().rbegin()->position(),
         .project = session.project_name(),
         .frozen = at->frozen});
  }
  return absl::OkStatus();
}

}  // namespace god33::api
