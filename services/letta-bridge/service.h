#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "base/executor.h"
#include "god33/letta/v1/letta_bridge.grpc.pb.h"
#include "pg/pool.h"
#include "services/letta-bridge/agent_api.h"
#include "services/letta-bridge/feedback_api.h"
#include "services/letta-bridge/session_orders.h"
#include "services/letta-bridge/settings.h"
#include "services/letta-bridge/task_list.h"

namespace god33::letta {

// LettaBridgeService. Calls wait for the database, and those that make an agent or wait for an order for longer, on
// threads of their own; when enough of them wait, a call is refused: RESOURCE_EXHAUSTED (BUSY).
class Service final : public v1::LettaBridgeService::CallbackService {
 public:
  struct Parts {
    Backend& backend;
    const reaction::EventFactory& factory;
    Clock& clock;
    IdSource& ids;
    Metrics& metrics;
    const Settings& settings;
    const HandoffRules& rules;
    std::function<absl::Status()> letta;  // how Letta is, without asking it
  };
  Service(Parts parts, pg::Config database);

  // Ends waits for orders; further calls don't wait.
  void Stop() { orders_.Stop(); }

  grpc::ServerUnaryReactor* CreateAgent(grpc::CallbackServerContext* context,
                                        const v1::CreateAgentRequest* request,
                                        v1::CreateAgentResponse* response) override;
  grpc::ServerUnaryReactor* AssignTask(grpc::CallbackServerContext* context,
                                       const v1::AssignTaskRequest* request,
                                       v1::AssignTaskResponse* response) override;
  grpc::ServerUnaryReactor* GetAgentPool(grpc::CallbackServerContext* context,
                                         const v1::GetAgentPoolRequest* request,
                                         v1::GetAgentPoolResponse* response) override;
  grpc::ServerUnaryReactor* GetLettaCheckpoint(grpc::CallbackServerContext* context,
                                               const v1::GetLettaCheckpointRequest* request,
                                               v1::GetLettaCheckpointResponse* response) override;
  grpc::ServerUnaryReactor* ListLettaCheckpoints(
      grpc::CallbackServerContext* context, const v1::ListLettaCheckpointsRequest* request,
      v1::ListLettaCheckpointsResponse* response) override;
  grpc::ServerUnaryReactor* GetCheckpointRetention(
      grpc::CallbackServerContext* context, const v1::GetCheckpointRetentionRequest* request,
      v1::GetCheckpointRetentionResponse* response) override;
  grpc::ServerUnaryReactor* ListTasks(grpc::CallbackServerContext* context,
                                      const v1::ListTasksRequest* request,
                                      v1::ListTasksResponse* response) override;
  grpc::ServerUnaryReactor* GetTask(grpc::CallbackServerContext* context,
                                    const v1::GetTaskRequest* request,
                                    v1::GetTaskResponse* response) override;
  grpc::ServerUnaryReactor* ListLettaSessions(grpc::CallbackServerContext* context,
                                              const v1::ListLettaSessionsRequest* request,
                                              v1::ListLettaSessionsResponse* response) override;
  grpc::ServerUnaryReactor* GetLettaSession(grpc::CallbackServerContext* context,
                                            const v1::GetLettaSessionRequest* request,
                                            v1::GetLettaSessionResponse* response) override;
  grpc::ServerUnaryReactor* PauseSession(grpc::CallbackServerContext* context,
                                         const v1::PauseSessionRequest* request,
                                         v1::PauseSessionResponse* response) override;
  grpc::ServerUnaryReactor* ResumeSession(grpc::CallbackServerContext* context,
                                          const v1::ResumeSessionRequest* request,
                                          v1::ResumeSessionResponse* response) override;
  grpc::ServerUnaryReactor* CancelSession(grpc::CallbackServerContext* context,
                                          const v1::CancelSessionRequest* request,
                                          v1::CancelSessionResponse* response) override;
  grpc::ServerUnaryReactor* CheckpointSession(grpc::CallbackServerContext* context,
                                              const v1::CheckpointSessionRequest* request,
                                              v1::CheckpointSessionResponse* response) override;
  grpc::ServerUnaryReactor* ListFeedback(grpc::CallbackServerContext* context,
                                         const v1::ListFeedbackRequest* request,
                                         v1::ListFeedbackResponse* response) override;
  grpc::ServerUnaryReactor* GetFeedback(grpc::CallbackServerContext* context,
                                        const v1::GetFeedbackRequest* request,
                                        v1::GetFeedbackResponse* response) override;
  grpc::ServerUnaryReactor* AnswerFeedback(grpc::CallbackServerContext* context,
                                           const v1::AnswerFeedbackRequest* request,
                                           v1::AnswerFeedbackResponse* response) override;
  grpc::ServerUnaryReactor* WithdrawFeedback(grpc::CallbackServerContext* context,
                                             const v1::WithdrawFeedbackRequest* request,
                                             v1::WithdrawFeedbackResponse* response) override;

 private:
  // Reads with a connection.
  using Read = std::function<absl::Status(pg::Connection& connection)>;
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, Read read);

  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Obey(grpc::CallbackServerContext* context, Order::Kind kind,
                                 const Request* request, Response* response);

  absl::Status ReadInto(const Uuid& task_id, v1::Task& task);
  Surroundings Around() const;

  const Parts parts_;
  pg::Pool pool_;
  AgentApi agents_;
  FeedbackApi feedback_;
  SessionOrders orders_;
  Executor slow_;   // makes agents and waits for orders
  Executor quick_;  // last, like slow_: their threads use all the others
};

}  // namespace god33::letta
