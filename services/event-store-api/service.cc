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

// One call: counted when it ends.
class Call {
 public:
  Call(grpc::CallbackServerContext& context, const char* method, Metrics& metrics)
      : reactor_(context.DefaultReactor()), method_(method), metrics_(metrics) {}

  grpc::ServerUnaryReactor* Finish(const absl::Status& status) const {
    metrics_.Count(method_, absl::StatusCodeToString(status.code()),
                   static_cast<double>(MonotonicNanos() - started_) / 1e9);
    reactor_->Finish(rpc::ToGrpc(status));
    return reactor_;
  }

  grpc::ServerUnaryReactor* FinishOn(Executor& executor, grpc::CallbackServerContext& context,
                                     std::function<absl::Status()> query) const {
    const bool accepted = executor.TrySubmit([call = *this, &context, query = std::move(query)] {
      // Whoever has gone needs no answer.
      call.Finish(context.IsCancelled() ? absl::CancelledError("the caller has gone") : query());
    });
    if (!accepted) {
      Finish(
          MakeError(absl::StatusCode::kResourceExhausted, "BUSY", "too many queries wait; retry"));
    }
    return reactor_;
  }

 private:
  grpc::ServerUnaryReactor* reactor_;
  const char* method_;
  Metrics& metrics_;
  const std::int64_t started_ = MonotonicNanos();
};

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
  response.set_horizon(page.horizon);
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
  const Call call(*context, method, metrics_);
  const auto principal = rpc::CallerOf(*context);
  if (!principal.ok()) return call.Finish(principal.status());
  return call.FinishOn(executor_, *context, std::move(query));
}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* QueryService::LookUp(grpc::CallbackServerContext* context,
                                               const char* method, const Request* request,
                                               Response* response) {
  const Call call(*context, method, metrics_);
  const auto principal = rpc::CallerOf(*context);
  if (!principal.ok()) return call.Finish(principal.status());
  if (lookups_.Find(*request, *principal, *response)) return call.Finish(absl::OkStatus());
  return call.FinishOn(executor_, *context, [this, request, response, principal = *principal] {
    return lookups_.Read(*request, principal, *response);
  });
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
  return LookUp(context, "GetEvent", request, response);
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
  return LookUp(context, "GetWorkflow", request, response);
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
  return LookUp(context, "GetWorkflowState", request, response);
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
  return LookUp(context, "GetSession", request, response);
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
  return streams_.Open(context, *request, rpc::CallerOf(*context).status());
}

}  // namespace god33::api
