#include "services/event-store-manager/retention_service.h"

#include <utility>

#include "pg/error.h"
#include "rpc/blocking_call.h"
#include "services/event-store-manager/projection_jobs.h"
#include "services/event-store-manager/projection_request.h"
#include "services/event-store-manager/retention_request.h"

namespace god33::manager {
namespace {

constexpr std::size_t kThreads = 1;
constexpr std::size_t kMostWaiting = 100;
constexpr absl::Duration kWait = absl::Seconds(2);

}  // namespace

RetentionService::RetentionService(pg::Config database, int months)
    : months_(months), pool_(std::move(database), kThreads), executor_(kThreads, kMostWaiting) {}

absl::Status RetentionService::Read(pg::Connection& connection, int months,
                                    store::v1::GetRetentionResponse& response) const {
  const auto plan = ReadRetentionPlan(connection, months);
  if (!plan.ok()) return plan.status();
  ToProto(*plan, response);
  response.set_configured_months(months_);
  const auto job = ProjectionJobs(connection).NewestSnapshot();
  if (!job.ok()) return job.status();
  if (*job) ToProto(**job, *response.mutable_job());
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* RetentionService::GetRetention(
    grpc::CallbackServerContext* context, const store::v1::GetRetentionRequest* request,
    store::v1::GetRetentionResponse* response) {
  return rpc::RunBlocking(context, executor_,
                          [this, request, response](const auth::Principal&) -> absl::Status {
                            const auto months = ReadMonths(*request, months_);
                            if (!months.ok()) return months.status();
                            auto connection = pool_.AcquireAlive(kWait);
                            absl::Status status = connection.status();
                            if (status.ok()) status = Read(**connection, *months, *response);
                            return pg::ForCaller(status, "a request about retention failed");
                          });
}

}  // namespace god33::manager
