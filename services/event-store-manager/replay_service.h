#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "base/executor.h"
#include "base/ids.h"
#include "god33/store/v1/replay.grpc.pb.h"
#include "pg/pool.h"
#include "services/event-store-manager/replay_store.h"

namespace god33::manager {

// ReplayService. Calls wait for the database on threads of their own; when enough of them wait, a call is
// refused: RESOURCE_EXHAUSTED (BUSY).
class ReplayService final : public store::v1::ReplayService::CallbackService {
 public:
  struct Options {
    pg::Config database;
    std::string live_exchange;  // Bloodbank's
    bool enabled = true;
  };

  ReplayService(const Options& options, IdSource& ids);

  grpc::ServerUnaryReactor* StartReplay(grpc::CallbackServerContext* context,
                                        const store::v1::StartReplayRequest* request,
                                        store::v1::StartReplayResponse* response) override;
  grpc::ServerUnaryReactor* GetReplay(grpc::CallbackServerContext* context,
                                      const store::v1::GetReplayRequest* request,
                                      store::v1::GetReplayResponse* response) override;
  grpc::ServerUnaryReactor* ListReplays(grpc::CallbackServerContext* context,
                                        const store::v1::ListReplaysRequest* request,
                                        store::v1::ListReplaysResponse* response) override;
  grpc::ServerUnaryReactor* CancelReplay(grpc::CallbackServerContext* context,
                                         const store::v1::CancelReplayRequest* request,
                                         store::v1::CancelReplayResponse* response) override;

 private:
  using Work = std::function<absl::Status(ReplayStore& store, const std::string& caller)>;

  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, Work work);
  absl::Status Start(ReplayStore& store, const std::string& caller,
                     const store::v1::StartReplayRequest& request, store::v1::Replay& replay);

  const std::string live_exchange_;
  const bool enabled_;
  IdSource& ids_;
  pg::Pool pool_;
  Executor executor_;  // last: its threads use all the others
};

}  // namespace god33::manager
