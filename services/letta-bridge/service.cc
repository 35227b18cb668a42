#include "services/letta-bridge/service.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "pg/error.h"
#include "rpc/blocking_call.h"
#include "services/letta-bridge/checkpoint_list.h"
#include "services/letta-bridge/checkpoint_store.h"
#include "services/letta-bridge/feedback_list.h"
#include "services/letta-bridge/fields.h"
#include "services/letta-bridge/pool_overview.h"

namespace god33::letta {
namespace {

constexpr std::size_t kThreads = 4;
constexpr std::size_t kMostWaiting = 100;
constexpr std::size_t kSlowThreads = 16;
constexpr std::size_t kMostSlowWaiting = 64;
constexpr std::size_t kConnections = 6;
constexpr absl::Duration kWait = absl::Seconds(2);
constexpr int kMostWaitSeconds = 30;
constexpr std::size_t kMostReason = 1000;
constexpr int kMostKept = 1'000'000;
constexpr char kFailed[] = "a call of the Letta bridge failed";

}  // namespace

Service::Service(Parts parts, pg::Config database)
    : parts_(std::move(parts)),
      pool_(std::move(database), kConnections),
      agents_({.backend = parts_.backend,
               .pool = pool_,
               .factory = parts_.factory,
               .clock = parts_.clock,
               .ids = parts_.ids,
               .metrics = parts_.metrics,
               .rules = parts_.rules,
               .model = parts_.settings.model}),
      feedback_(pool_, parts_.factory, parts_.ids),
      orders_(pool_),
      slow_(kSlowThreads, kMostSlowWaiting),
      quick_(kThreads, kMostWaiting) {}

Surroundings Service::Around() const {
  return {.letta = parts_.letta(), .agents_per_type = parts_.settings.agents_per_type};
}

grpc::ServerUnaryReactor* Service::Run(grpc::CallbackServerContext* context, Read read) {
  return rpc::RunBlocking(context, quick_,
                          [this, read = std::move(read)](const auth::Principal&) -> absl::Status {
                            auto connection = pool_.AcquireAlive(kWait);
                            absl::Status status = connection.status();
                            if (status.ok()) status = read(**connection);
                            return pg::ForCaller(status, kFailed);
                          });
}

absl::Status Service::ReadInto(const Uuid& task_id, v1::Task& task) {
  auto connection = pool_.AcquireAlive(kWait);
  if (!connection.ok()) return connection.status();
  return ReadTask(**connection, Around(), task_id, task);
}

grpc::ServerUnaryReactor* Service::CreateAgent(grpc::CallbackServerContext* context,
                                               const v1::CreateAgentRequest* request,
                                               v1::CreateAgentResponse* response) {
  return rpc::RunBlocking(
      context, slow_, [this, context, request, response](const auth::Principal&) {
        const auto gone = [context] { return context->IsCancelled(); };
        return pg::ForCaller(agents_.Create(*request, gone, *response), kFailed);
      });
}

grpc::ServerUnaryReactor* Service::AssignTask(grpc::CallbackServerContext* context,
                                              const v1::AssignTaskRequest* request,
                                              v1::AssignTaskResponse* response) {
  return rpc::RunBlocking(context, quick_, [this, request, response](const auth::Principal&) {
    return pg::ForCaller(agents_.Assign(*request, *response), kFailed);
  });
}

grpc::ServerUnaryReactor* Service::GetAgentPool(grpc::CallbackServerContext* context,
                                                const v1::GetAgentPoolRequest*,
                                                v1::GetAgentPoolResponse* response) {
  return Run(context, [this, response](pg::Connection& connection) {
    response->set_most_sessions(parts_.settings.most_runs);
    return ReadAgentPool(connection, Around(), parts_.settings.agent_types, *response);
  });
}

grpc::ServerUnaryReactor* Service::GetLettaCheckpoint(grpc::CallbackServerContext* context,
                                                      const v1::GetLettaCheckpointRequest* request,
                                                      v1::GetLettaCheckpointResponse* response) {
  return Run(context, [request, response](pg::Connection& connection) {
    return ReadCheckpoint(connection, *request, *response->mutable_checkpoint());
  });
}

grpc::ServerUnaryReactor* Service::ListLettaCheckpoints(
    grpc::CallbackServerContext* context, const v1::ListLettaCheckpointsRequest* request,
    v1::ListLettaCheckpointsResponse* response) {
  return Run(context, [request, response](pg::Connection& connection) {
    return ListCheckpoints(connection, *request, *response);
  });
}

grpc::ServerUnaryReactor* Service::GetCheckpointRetention(
    grpc::CallbackServerContext* context, const v1::GetCheckpointRetentionRequest* request,
    v1::GetCheckpointRetentionResponse* response) {
  return Run(context, [this, request, response](pg::Connection& connection) -> absl::Status {
    const int configured = parts_.settings.checkpoints_kept;
    const int kept = request->has_kept() ? request->kept() : configured;
    if (request->has_kept() && (kept < 1 || kept > kMostKept)) {
      return InvalidField("kept", StrCat("expected 1 to ", kMostKept, ", got ", kept));
    }
    const auto preview = PreviewDrop(connection, kept);
    if (!preview.ok()) return preview.status();
    response->set_kept(kept);
    response->set_configured_kept(configured);
    response->set_checkpoints(preview->checkpoints);
    response->set_memories(preview->memories);
    response->set_bytes(preview->bytes);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* Service::ListTasks(grpc::CallbackServerContext* context,
                                             const v1::ListTasksRequest* request,
                                             v1::ListTasksResponse* response) {
  return Run(context, [this, request, response](pg::Connection& connection) {
    return letta::ListTasks(connection, Around(), *request, *response);
  });
}

grpc::ServerUnaryReactor* Service::GetTask(grpc::CallbackServerContext* context,
                                           const v1::GetTaskRequest* request,
                                           v1::GetTaskResponse* response) {
  return Run(context, [this, request, response](pg::Connection& connection) -> absl::Status {
    const auto id = ReadId("task_id", request->task_id());
    if (!id.ok()) return id.status();
    return ReadTask(connection, Around(), *id, *response->mutable_task());
  });
}

grpc::ServerUnaryReactor* Service::ListLettaSessions(grpc::CallbackServerContext* context,
                                                     const v1::ListLettaSessionsRequest* request,
                                                     v1::ListLettaSessionsResponse* response) {
  return Run(context, [this, request, response](pg::Connection& connection) {
    return ListSessions(connection, Around(), *request, *response);
  });
}

grpc::ServerUnaryReactor* Service::GetLettaSession(grpc::CallbackServerContext* context,
                                                   const v1::GetLettaSessionRequest* request,
                                                   v1::GetLettaSessionResponse* response) {
  return Run(context, [this, request, response](pg::Connection& connection) -> absl::Status {
    const auto id = ReadId("session_id", request->session_id());
    if (!id.ok()) return id.status();
    return ReadSession(connection, Around(), *id, *response->mutable_session());
  });
}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* Service::Obey(grpc::CallbackServerContext* context, Order::Kind kind,
                                        const Request* request, Response* response) {
  const auto work = [this, context, kind, request,
                     response](const auth::Principal& caller) -> absl::Status {
    const auto id = ReadId("session_id", request->session_id());
    if (!id.ok()) return id.status();
    absl::Status status = CheckText("reason", request->reason(), 0, kMostReason);
    if (!status.ok()) return status;
    const int seconds = request->wait_seconds();
    if (seconds < 0 || seconds > kMostWaitSeconds) {
      return InvalidField("wait_seconds",
                          StrCat("expected 0 to ", kMostWaitSeconds, ", got ", seconds));
    }
    const auto task_id =
        orders_.Give(*id, {.kind = kind, .reason = request->reason(), .asked_by = caller.subject});
    if (!task_id.ok()) return pg::ForCaller(task_id.status(), kFailed);
    // In time for the answer to arrive.
    const absl::Duration left = absl::FromChrono(context->deadline()) - parts_.clock.Now();
    const absl::Duration patience = std::min(absl::Seconds(seconds), left - absl::Seconds(1));
    const auto obeyed =
        orders_.AwaitObeyed(*task_id, kind, patience, [context] { return context->IsCancelled(); });
    if (!obeyed.ok()) return pg::ForCaller(obeyed.status(), kFailed);
    response->set_obeyed(*obeyed);
    return pg::ForCaller(ReadInto(*task_id, *response->mutable_task()), kFailed);
  };
  return rpc::RunBlocking(context, request->wait_seconds() > 0 ? slow_ : quick_, work);
}

grpc::ServerUnaryReactor* Service::PauseSession(grpc::CallbackServerContext* context,
                                                const v1::PauseSessionRequest* request,
                                                v1::PauseSessionResponse* response) {
  return Obey(context, Order::Kind::kPause, request, response);
}

grpc::ServerUnaryReactor* Service::ResumeSession(grpc::CallbackServerContext* context,
                                                 const v1::ResumeSessionRequest* request,
                                                 v1::ResumeSessionResponse* response) {
  return Obey(context, Order::Kind::kResume, request, response);
}

grpc::ServerUnaryReactor* Service::CancelSession(grpc::CallbackServerContext* context,
                                                 const v1::CancelSessionRequest* request,
                                                 v1::CancelSessionResponse* response) {
  return Obey(context, Order::Kind::kCancel, request, response);
}

grpc::ServerUnaryReactor* Service::CheckpointSession(grpc::CallbackServerContext* context,
                                                     const v1::CheckpointSessionRequest* request,
                                                     v1::CheckpointSessionResponse* response) {
  return Obey(context, Order::Kind::kCheckpoint, request, response);
}

grpc::ServerUnaryReactor* Service::ListFeedback(grpc::CallbackServerContext* context,
                                                const v1::ListFeedbackRequest* request,
                                                v1::ListFeedbackResponse* response) {
  return Run(context, [request, response](pg::Connection& connection) {
    return letta::ListFeedback(connection, *request, *response);
  });
}

grpc::ServerUnaryReactor* Service::GetFeedback(grpc::CallbackServerContext* context,
                                               const v1::GetFeedbackRequest* request,
                                               v1::GetFeedbackResponse* response) {
  return Run(context, [request, response](pg::Connection& connection) -> absl::Status {
    const auto id = ReadId("request_id", request->request_id());
    if (!id.ok()) return id.status();
    return ReadFeedback(connection, *id, *response->mutable_feedback());
  });
}

grpc::ServerUnaryReactor* Service::AnswerFeedback(grpc::CallbackServerContext* context,
                                                  const v1::AnswerFeedbackRequest* request,
                                                  v1::AnswerFeedbackResponse* response) {
  return rpc::RunBlocking(
      context, quick_, [this, request, response](const auth::Principal& caller) {
        return pg::ForCaller(feedback_.Answer(*request, caller.subject, *response), kFailed);
      });
}

grpc::ServerUnaryReactor* Service::WithdrawFeedback(grpc::CallbackServerContext* context,
                                                    const v1::WithdrawFeedbackRequest* request,
                                                    v1::WithdrawFeedbackResponse* response) {
  return rpc::RunBlocking(
      context, quick_, [this, request, response](const auth::Principal& caller) {
        return pg::ForCaller(feedback_.Withdraw(*request, caller.subject, *response), kFailed);
      });
}

}  // namespace god33::letta
