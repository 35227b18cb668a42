#include "services/event-store-manager/workflow_service.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "rpc/blocking_call.h"
#include "services/event-store-manager/idempotency.h"

namespace god33::manager {
namespace {

namespace v1 = workflow::v1;

constexpr std::size_t kThreads = 4;
constexpr std::size_t kMostWaiting = 1000;

// A name in the metadata is as good as one in the request.
absl::Status AddKey(const std::string& key, StepCall& call) {
  if (key.empty() || key == call.request_id) return absl::OkStatus();
  if (!call.request_id.empty()) {
    return InvalidField("request_id", "expected that of the metadata idempotency-key, or none");
  }
  call.request_id = key;
  return absl::OkStatus();
}

// From where it is asked makes it no other request.
template <typename Request>
std::string WhatIsAsked(Request request) {
  request.clear_source();
  return StrCat(Request::descriptor()->full_name(), "\n", request.SerializeAsString());
}

}  // namespace

WorkflowService::WorkflowService(LogWriter& writer, const wire::PayloadRegistry& registry,
                                 Clock& clock, IdSource& ids, pg::Config database)
    : steps_(writer, registry, clock, ids, std::move(database), kThreads),
      executor_(kThreads, kMostWaiting) {}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* WorkflowService::Take(grpc::CallbackServerContext* context,
                                                const Request* request, Response* response) {
  const auto key = IdempotencyKeyOf(*context);
  return rpc::RunBlocking(
      context, executor_,
      [this, key, request, response](const auth::Principal& caller) -> absl::Status {
        if (!key.ok()) return key.status();
        auto call = ReadCall(*request);
        if (!call.ok()) return call.status();
        if (absl::Status status = AddKey(*key, *call); !status.ok()) return status;
        auto step = steps_.Take(*call, caller.subject, WhatIsAsked(*request));
        if (!step.ok()) return step.status();
        *response->mutable_step() = *std::move(step);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* WorkflowService::StartWorkflow(grpc::CallbackServerContext* context,
                                                         const v1::StartWorkflowRequest* request,
                                                         v1::StartWorkflowResponse* response) {
  return Take(context, request, response);
}

grpc::ServerUnaryReactor* WorkflowService::CompletePhase(grpc::CallbackServerContext* context,
                                                         const v1::CompletePhaseRequest* request,
                                                         v1::CompletePhaseResponse* response) {
  return Take(context, request, response);
}

grpc::ServerUnaryReactor* WorkflowService::RequestHandoff(grpc::CallbackServerContext* context,
                                                          const v1::RequestHandoffRequest* request,
                                                          v1::RequestHandoffResponse* response) {
  return Take(context, request, response);
}

grpc::ServerUnaryReactor* WorkflowService::RequestValidation(
    grpc::CallbackServerContext* context, const v1::RequestValidationRequest* request,
    v1::RequestValidationResponse* response) {
  return Take(context, request, response);
}

grpc::ServerUnaryReactor* WorkflowService::CompleteWorkflow(
    grpc::CallbackServerContext* context, const v1::CompleteWorkflowRequest* request,
    v1::CompleteWorkflowResponse* response) {
  return Take(context, request, response);
}

grpc::ServerUnaryReactor* WorkflowService::GetWorkflowStatus(
    grpc::CallbackServerContext* context, const v1::GetWorkflowStatusRequest* request,
    v1::GetWorkflowStatusResponse* response) {
  return rpc::RunBlocking(context, executor_,
                          [this, request, response](const auth::Principal&) -> absl::Status {
                            const auto id = ReadWorkflowId(request->workflow_id());
                            if (!id.ok()) return id.status();
                            auto status = steps_.Status(*id);
                            if (!status.ok()) return status.status();
                            *response->mutable_status() = *std::move(status);
                            return absl::OkStatus();
                          });
}

}  // namespace god33::manager
