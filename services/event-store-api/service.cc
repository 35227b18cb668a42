#include "services/event-store-api/service.h"

#include <map>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "rpc/principal.h"
#include "rpc/status.h"
#include "services/event-store-api/causation_query.h"
#include "services/event-store-api/event_proto.h"
#include "services/event-store-api/timeline.h"

namespace god33::api {
namespace {

namespace v1 = store::v1;

// Until projects are enforced, a principal who is limited to some must not see all.
absl::Status CheckPrincipal(const grpc::CallbackServerContext& context) {
  const auto principal = rpc::PrincipalOf(context);
  if (!principal.ok()) return principal.status();
  if (!principal->all_projects) {
    return absl::PermissionDeniedError("this version can't limit a reader to projects");
  }
  return absl::OkStatus();
}

// ListEventsResponse and ListSessionEventsResponse are the same.
template <typename Response>
void ToProto(const EventQuery& query, const EventPage& page, Response& response) {
  for (const eventlog::StoredEvent& event : page.events) {
    api::ToProto(event, *response.add_events());
  }
  response.set_total(page.total);
  response.set_total_exact(page.total_exact);
  response.set_limit(query.limit);
  response.set_offset(query.offset);
  response.set_next_page_token(page.next_page_token);
  response.set_position(page.position);
}

void ToProto(const std::vector<SeenType>& seen, const wire::PayloadRegistry& registry,
             v1::ListEventTypesResponse& response) {
  std::map<std::string, v1::EventType> types;
  for (const auto& [name, entry] : registry.entries()) {
    types[name].set_summary(entry.summary);
    types[name].set_registered(true);
  }
  for (const SeenType& type : seen) types[type.name].set_first_position(type.first_position);
  for (auto& [name, type] : types) {
    type.set_name(name);
    *response.add_event_types() = std::move(type);
  }
}

}  // namespace

grpc::ServerUnaryReactor* QueryService::Run(grpc::CallbackServerContext* context,
                                            const char* method,
                                            std::function<absl::Status()> query) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const std::int64_t started = MonotonicNanos();
  const auto finish = [this, reactor, method, started](const absl::Status& status) {
    metrics_.Count(method, absl::StatusCodeToString(status.code()),
                   static_cast<double>(MonotonicNanos() - started) / 1e9);
    reactor->Finish(rpc::ToGrpc(status));
  };
  if (absl::Status status = CheckPrincipal(*context); !status.ok()) {
    finish(status);
    return reactor;
  }
  const bool accepted = executor_.TrySubmit([context, finish, query = std::move(query)] {
    // Whoever has gone needs no answer.
    finish(context->IsCancelled() ? absl::CancelledError("the caller has gone") : query());
  });
  if (!accepted) {
    finish(MakeError(absl::StatusCode::kResourceExhausted, "BUSY", "too many queries wait; retry"));
  }
  return reactor;
}

grpc::ServerUnaryReactor* QueryService::ListEvents(grpc::CallbackServerContext* context,
                                                   const v1::ListEventsRequest* request,
                                                   v1::ListEventsResponse* response) {
  return Run(context, "ListEvents", [this, request, response]() -> absl::Status {
    const auto query = ReadQuery(*request);
    if (!query.ok()) return query.status();
    const auto page = events_.List(*query);
    if (!page.ok()) return page.status();
    ToProto(*query, *page, *response);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* QueryService::GetEvent(grpc::CallbackServerContext* context,
                                                 const v1::GetEventRequest* request,
                                                 v1::GetEventResponse* response) {
  return Run(context, "GetEvent", [this, request, response]() -> absl::Status {
    const auto id = ReadId("event_id", request->event_id());
    if (!id.ok()) return id.status();
    const auto event = events_.Get(*id, request->min_position());
    if (!event.ok()) return event.status();
    api::ToProto(*event, *response->mutable_event());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* QueryService::GetDescendants(grpc::CallbackServerContext* context,
                                                       const v1::GetDescendantsRequest* request,
                                                       v1::GetDescendantsResponse* response) {
  return Run(context, "GetDescendants", [this, request, response]() -> absl::Status {
    const auto query = ReadQuery(*request);
    if (!query.ok()) return query.status();
    return causation_.Descendants(*query, *response);
  });
}

grpc::ServerUnaryReactor* QueryService::GetAncestors(grpc::CallbackServerContext* context,
                                                     const v1::GetAncestorsRequest* request,
                                                     v1::GetAncestorsResponse* response) {
  return Run(context, "GetAncestors", [this, request, response]() -> absl::Status {
    const auto query = ReadQuery(*request);
    if (!query.ok()) return query.status();
    return causation_.Ancestors(*query, *response);
  });
}

grpc::ServerUnaryReactor* QueryService::ListEventTypes(grpc::CallbackServerContext* context,
                                                       const v1::ListEventTypesRequest*,
                                                       v1::ListEventTypesResponse* response) {
  return Run(context, "ListEventTypes", [this, response]() -> absl::Status {
    const auto seen = events_.Types();
    if (!seen.ok()) return seen.status();
    ToProto(*seen, registry_, *response);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* QueryService::ListWorkflows(grpc::CallbackServerContext* context,
                                                      const v1::ListWorkflowsRequest* request,
                                                      v1::ListWorkflowsResponse* response) {
  return Run(context, "ListWorkflows", [this, request, response]() -> absl::Status {
    const auto query = ReadQuery(*request);
    if (!query.ok()) return query.status();
    return workflows_.List(*query, *response);
  });
}

grpc::ServerUnaryReactor* QueryService::GetWorkflow(grpc::CallbackServerContext* context,
                                                    const v1::GetWorkflowRequest* request,
                                                    v1::GetWorkflowResponse* response) {
  return Run(context, "GetWorkflow", [this, request, response]() -> absl::Status {
    const auto id = ReadId("workflow_id", request->workflow_id());
    if (!id.ok()) return id.status();
    return workflows_.Get(*id, request->min_position(), *response->mutable_workflow());
  });
}

grpc::ServerUnaryReactor* QueryService::GetWorkflowTimeline(
    grpc::CallbackServerContext* context, const v1::GetWorkflowTimelineRequest* request,
    v1::GetWorkflowTimelineResponse* response) {
  return Run(context, "GetWorkflowTimeline", [this, request, response]() -> absl::Status {
    const auto query = ReadQuery(*request);
    if (!query.ok()) return query.status();
    const auto page = events_.List(*query);
    if (!page.ok()) return page.status();
    ToProto(*query, *page, *response);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* QueryService::GetWorkflowState(grpc::CallbackServerContext* context,
                                                         const v1::GetWorkflowStateRequest* request,
                                                         v1::GetWorkflowStateResponse* response) {
  return Run(context, "GetWorkflowState", [this, request, response]() -> absl::Status {
    const auto query = ReadQuery(*request);
    if (!query.ok()) return query.status();
    v1::Workflow& workflow = *response->mutable_workflow();
    if (query->now()) return workflows_.Get(query->workflow, query->min_position, workflow);
    return history_.Get(*query, workflow);
  });
}

grpc::ServerUnaryReactor* QueryService::ListSessions(grpc::CallbackServerContext* context,
                                                     const v1::ListSessionsRequest* request,
                                                     v1::ListSessionsResponse* response) {
  return Run(context, "ListSessions", [this, request, response]() -> absl::Status {
    const auto query = ReadQuery(*request);
    if (!query.ok()) return query.status();
    return sessions_.List(*query, *response);
  });
}

grpc::ServerUnaryReactor* QueryService::GetSession(grpc::CallbackServerContext* context,
                                                   const v1::GetSessionRequest* request,
                                                   v1::GetSessionResponse* response) {
  return Run(context, "GetSession", [this, request, response]() -> absl::Status {
    v1::AgentSession& session = *response->mutable_session();
    absl::Status status = sessions_.Get(request->session_id(), request->min_position(), session);
    if (!status.ok()) return status;
    const auto id = ReadId("session_id", session.session_id());
    if (!id.ok()) return id.status();
    const auto checkpoints = events_.List(CheckpointsOf(*id));
    if (!checkpoints.ok()) return checkpoints.status();
    for (const auto& event : checkpoints->events) ToProto(event, *session.add_checkpoints());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* QueryService::ListCheckpoints(grpc::CallbackServerContext* context,
                                                        const v1::ListCheckpointsRequest* request,
                                                        v1::ListCheckpointsResponse* response) {
  return Run(context, "ListCheckpoints", [this, request, response]() -> absl::Status {
    auto query = ReadQuery(*request);
    if (!query.ok()) return query.status();
    const auto session = sessions_.Find(request->session_id(), request->min_position());
    if (!session.ok()) return session.status();
    query->filter.session = *session;
    const auto page = events_.List(*query);
    if (!page.ok()) return page.status();
    for (const auto& event : page->events) ToProto(event, *response->add_checkpoints());
    response->set_next_page_token(page->next_page_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* QueryService::ListSessionEvents(
    grpc::CallbackServerContext* context, const v1::ListSessionEventsRequest* request,
    v1::ListSessionEventsResponse* response) {
  return Run(context, "ListSessionEvents", [this, request, response]() -> absl::Status {
    auto query = ReadQuery(*request);
    if (!query.ok()) return query.status();
    const auto session = sessions_.Find(request->session_id(), request->min_position());
    if (!session.ok()) return session.status();
    query->filter.session = *session;
    const auto page = events_.List(*query);
    if (!page.ok()) return page.status();
    ToProto(*query, *page, *response);
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<v1::StreamEventsResponse>* QueryService::StreamEvents(
    grpc::CallbackServerContext* context, const v1::StreamEventsRequest* request) {
  return streams_.Open(context, *request, CheckPrincipal(*context));
}

}  // namespace god33::api
