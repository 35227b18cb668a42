#pragma once

#include "base/executor.h"
#include "god33/workflow/v1/workflow.grpc.pb.h"
#include "services/event-store-manager/workflow_steps.h"

namespace god33::manager {

// WorkflowService. Calls wait for the database and the commit on threads of their own; when enough of them
// wait, a call is refused: RESOURCE_EXHAUSTED (BUSY).
class WorkflowService final : public workflow::v1::WorkflowService::CallbackService {
 public:
  WorkflowService(LogWriter& writer, const wire::PayloadRegistry& registry, Clock& clock,
                  IdSource& ids, pg::Config database);

  grpc::ServerUnaryReactor* StartWorkflow(grpc::CallbackServerContext* context,
                                          const workflow::v1::StartWorkflowRequest* request,
                                          workflow::v1::StartWorkflowResponse* response) override;
  grpc::ServerUnaryReactor* CompletePhase(grpc::CallbackServerContext* context,
                                          const workflow::v1::CompletePhaseRequest* request,
                                          workflow::v1::CompletePhaseResponse* response) override;
  grpc::ServerUnaryReactor* RequestHandoff(grpc::CallbackServerContext* context,
                                           const workflow::v1::RequestHandoffRequest* request,
                                           workflow::v1::RequestHandoffResponse* response) override;
  grpc::ServerUnaryReactor* RequestValidation(
      grpc::CallbackServerContext* context, const workflow::v1::RequestValidationRequest* request,
      workflow::v1::RequestValidationResponse* response) override;
  grpc::ServerUnaryReactor* CompleteWorkflow(
      grpc::CallbackServerContext* context, const workflow::v1::CompleteWorkflowRequest* request,
      workflow::v1::CompleteWorkflowResponse* response) override;
  grpc::ServerUnaryReactor* GetWorkflowStatus(
      grpc::CallbackServerContext* context, const workflow::v1::GetWorkflowStatusRequest* request,
      workflow::v1::GetWorkflowStatusResponse* response) override;

 private:
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Take(grpc::CallbackServerContext* context, const Request* request,
                                 Response* response);

  WorkflowSteps steps_;
  Executor executor_;  // last: its threads use all the others
};

}  // namespace god33::manager
