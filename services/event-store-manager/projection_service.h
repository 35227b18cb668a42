#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "base/executor.h"
#include "base/ids.h"
#include "god33/store/v1/projection.grpc.pb.h"
#include "pg/pool.h"
#include "services/event-store-manager/projection_jobs.h"

namespace god33::manager {

// ProjectionService. Asks for jobs and tells of them; the projector carries them out (refold.h). Calls wait
// for the database on threads of their own; when enough of them wait, a call is refused: RESOURCE_EXHAUSTED
// (BUSY).
class ProjectionService final : public store::v1::ProjectionService::CallbackService {
 public:
  ProjectionService(pg::Config database, IdSource& ids);

  grpc::ServerUnaryReactor* GetProjections(grpc::CallbackServerContext* context,
                                           const store::v1::GetProjectionsRequest* request,
                                           store::v1::GetProjectionsResponse* response) override;
  grpc::ServerUnaryReactor* RebuildProjections(
      grpc::CallbackServerContext* context, const store::v1::RebuildProjectionsRequest* request,
      store::v1::RebuildProjectionsResponse* response) override;
  grpc::ServerUnaryReactor* VerifyProjections(
      grpc::CallbackServerContext* context, const store::v1::VerifyProjectionsRequest* request,
      store::v1::VerifyProjectionsResponse* response) override;
  grpc::ServerUnaryReactor* GetProjectionJob(
      grpc::CallbackServerContext* context, const store::v1::GetProjectionJobRequest* request,
      store::v1::GetProjectionJobResponse* response) override;
  grpc::ServerUnaryReactor* ListProjectionJobs(
      grpc::CallbackServerContext* context, const store::v1::ListProjectionJobsRequest* request,
      store::v1::ListProjectionJobsResponse* response) override;
  grpc::ServerUnaryReactor* CancelProjectionJob(
      grpc::CallbackServerContext* context, const store::v1::CancelProjectionJobRequest* request,
      store::v1::CancelProjectionJobResponse* response) override;

 private:
  using Work = std::function<absl::Status(ProjectionJobs& jobs, const std::string& caller)>;

  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, Work work);
  absl::Status Start(ProjectionJobs& jobs, const std::string& kind, const std::string& caller,
                     const ProjectionScope& scope, store::v1::ProjectionJob& started);

  IdSource& ids_;
  pg::Pool pool_;
  Executor executor_;  // last: its threads use all the others
};

}  // namespace god33::manager
