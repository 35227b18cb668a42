#pragma once

#include <functional>

#include "base/executor.h"
#include "god33/store/v1/event_store.grpc.pb.h"
#include "services/event-store-api/causation_store.h"
#include "services/event-store-api/event_store.h"
#include "services/event-store-api/lookups.h"
#include "services/event-store-api/metrics.h"
#include "services/event-store-api/session_store.h"
#include "services/event-store-api/stream_hub.h"
#include "services/event-store-api/workflow_store.h"
#include "wire/registry.h"

namespace god33::api {

// The asking half of EventStoreService. What is in memory is answered at once; other queries run on the
// executor, which refuses when it is full; streams have a machinery of their own.
class QueryService final : public store::v1::EventStoreService::CallbackService {
 public:
  QueryService(EventStore& events, CausationStore& causation, WorkflowStore& workflows,
               SessionStore& sessions, Lookups& lookups, const wire::PayloadRegistry& registry,
               Executor& executor, StreamHub& streams, Metrics& metrics)
      : events_(events),
        causation_(causation),
        workflows_(workflows),
        sessions_(sessions),
        lookups_(lookups),
        registry_(registry),
        executor_(executor),
        streams_(streams),
        metrics_(metrics) {}

  grpc::ServerUnaryReactor* ListEvents(grpc::CallbackServerContext* context,
                                       const store::v1::ListEventsRequest* request,
                                       store::v1::ListEventsResponse* response) override;
  grpc::ServerUnaryReactor* GetEvent(grpc::CallbackServerContext* context,
                                     const store::v1::GetEventRequest* request,
                                     store::v1::GetEventResponse* response) override;
  grpc::ServerUnaryReactor* GetDescendants(grpc::CallbackServerContext* context,
                                           const store::v1::GetDescendantsRequest* request,
                                           store::v1::GetDescendantsResponse* response) override;
  grpc::ServerUnaryReactor* GetAncestors(grpc::CallbackServerContext* context,
                                         const store::v1::GetAncestorsRequest* request,
                                         store::v1::GetAncestorsResponse* response) override;
  grpc::ServerUnaryReactor* ListEventTypes(grpc::CallbackServerContext* context,
                                           const store::v1::ListEventTypesRequest* request,
                                           store::v1::ListEventTypesResponse* response) override;
  grpc::ServerUnaryReactor* ListWorkflows(grpc::CallbackServerContext* context,
                                          const store::v1::ListWorkflowsRequest* request,
                                          store::v1::ListWorkflowsResponse* response) override;
  grpc::ServerUnaryReactor* GetWorkflow(grpc::CallbackServerContext* context,
                                        const store::v1::GetWorkflowRequest* request,
                                        store::v1::GetWorkflowResponse* response) override;
  grpc::ServerUnaryReactor* GetWorkflowTimeline(
      grpc::CallbackServerContext* context, const store::v1::GetWorkflowTimelineRequest* request,
      store::v1::GetWorkflowTimelineResponse* response) override;
  grpc::ServerUnaryReactor* GetWorkflowState(
      grpc::CallbackServerContext* context, const store::v1::GetWorkflowStateRequest* request,
      store::v1::GetWorkflowStateResponse* response) override;
  grpc::ServerUnaryReactor* ListSessions(grpc::CallbackServerContext* context,
                                         const store::v1::ListSessionsRequest* request,
                                         store::v1::ListSessionsResponse* response) override;
  grpc::ServerUnaryReactor* GetSession(grpc::CallbackServerContext* context,
                                       const store::v1::GetSessionRequest* request,
                                       store::v1::GetSessionResponse* response) override;
  grpc::ServerUnaryReactor* ListCheckpoints(grpc::CallbackServerContext* context,
                                            const store::v1::ListCheckpointsRequest* request,
                                            store::v1::ListCheckpointsResponse* response) override;
  grpc::ServerUnaryReactor* ListSessionEvents(
      grpc::CallbackServerContext* context, const store::v1::ListSessionEventsRequest* request,
      store::v1::ListSessionEventsResponse* response) override;
  grpc::ServerWriteReactor<store::v1::StreamEventsResponse>* StreamEvents(
      grpc::CallbackServerContext* context, const store::v1::StreamEventsRequest* request) override;

 private:
  // Runs `query` on the executor and ends the call with its status.
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const char* method,
                                std::function<absl::Status()> query);

  // The same for what may be in memory: then the call ends at once.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* LookUp(grpc::CallbackServerContext* context, const char* method,
                                   const Request* request, Response* response);

  EventStore& events_;
  CausationStore& causation_;
  WorkflowStore& workflows_;
  SessionStore& sessions_;
  Lookups& lookups_;
  const wire::PayloadRegistry& registry_;
  Executor& executor_;
  StreamHub& streams_;
  Metrics& metrics_;
};

}  // namespace god33::api
