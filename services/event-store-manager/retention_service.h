#pragma once

#include "base/executor.h"
#include "god33/store/v1/retention.grpc.pb.h"
#include "pg/pool.h"

namespace god33::manager {

// RetentionService: tells of retention, which is the projector's (retention.h). Calls wait for the database on a
// thread of their own; when enough of them wait, a call is refused: RESOURCE_EXHAUSTED (BUSY).
class RetentionService final : public store::v1::RetentionService::CallbackService {
 public:
  // `months`: what is configured.
  RetentionService(pg::Config database, int months);

  grpc::ServerUnaryReactor* GetRetention(grpc::CallbackServerContext* context,
                                         const store::v1::GetRetentionRequest* request,
                                         store::v1::GetRetentionResponse* response) override;

 private:
  absl::Status Read(pg::Connection& connection, int months,
                    store::v1::GetRetentionResponse& response) const;

  const int months_;
  pg::Pool pool_;
  Executor executor_;  // last: its thread uses all the others
};

}  // namespace god33::manager
