#include "services/event-store-manager/projection_service.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "pg/error.h"
#include "rpc/blocking_call.h"
#include "services/event-store-manager/projection_request.h"

namespace god33::manager {
namespace {

constexpr std::size_t kThreads = 2;
constexpr std::size_t kMostWaiting = 100;
constexpr absl::Duration kWait = absl::Seconds(2);

constexpr int kMostFrozen = 100;
constexpr int kDefaultLimit = 100;
constexpr int kMostLimit = 1000;

absl::Status Find(ProjectionJobs& jobs, const std::string& text, store::v1::ProjectionJob& found) {
  const auto id = ReadJobId(text);
  if (!id.ok()) return id.status();
  const auto job = jobs.Find(*id);
  if (!job.ok()) return job.status();
  if (!*job) {
    return MakeError(absl::StatusCode::kNotFound, "PROJECTION_JOB_NOT_FOUND",
                     StrCat("there is no job ", id->ToString()), "job_id");
  }
  const auto differences = jobs.Differences(*id);
  if (!differences.ok()) return differences.status();
  ToProto(**job, found);
  for (const ProjectionDifference& difference : *differences) {
    ToProto(difference, *found.add_differences());
  }
  return absl::OkStatus();
}

absl::Status CheckThere(ProjectionJobs& jobs, const ProjectionScope& scope) {
  const auto there = jobs.IsThere(scope);
  if (!there.ok() || *there) return there.status();
  const bool workflow = scope.workflow.has_value();
  return MakeError(absl::StatusCode::kNotFound,
                   workflow ? "WORKFLOW_NOT_FOUND" : "SESSION_NOT_FOUND",
                   workflow ? StrCat("there is no workflow ", scope.workflow->ToString())
                            : StrCat("there is no session ", scope.session->ToString()),
                   workflow ? "workflow_id" : "session_id");
}

}  // namespace

ProjectionService::ProjectionService(pg::Config database, IdSource& ids)
    : ids_(ids), pool_(std::move(database), kThreads), executor_(kThreads, kMostWaiting) {}

grpc::ServerUnaryReactor* ProjectionService::Run(grpc::CallbackServerContext* context, Work work) {
  return rpc::RunBlocking(context, executor_,
                          [this, work = std::move(work)](const auth::Principal& caller) {
                            auto connection = pool_.AcquireAlive(kWait);
                            absl::Status status = connection.status();
                            if (status.ok()) {
                              ProjectionJobs jobs(**connection);
                              status = work(jobs, caller.subject);
                            }
                            return pg::ForCaller(status, "a request about projections failed");
                          });
}

absl::Status ProjectionService::Start(ProjectionJobs& jobs, const std::string& kind,
                                      const std::string& caller, const ProjectionScope& scope,
                                      store::v1::ProjectionJob& started) {
  const ProjectionJob job{.id = ids_.New(), .kind = kind, .requested_by = caller, .scope = scope};
  if (absl::Status status = jobs.Insert(job); !status.ok()) return status;
  return Find(jobs, job.id.ToString(), started);
}

grpc::ServerUnaryReactor* ProjectionService::GetProjections(
    grpc::CallbackServerContext* context, const store::v1::GetProjectionsRequest*,
    store::v1::GetProjectionsResponse* response) {
  return Run(context, [response](ProjectionJobs& jobs, const std::string&) -> absl::Status {
    const auto status = jobs.Status(kMostFrozen);
    if (!status.ok()) return status.status();
    ToProto(*status, *response);
    const auto running = jobs.Running();
    if (!running.ok()) return running.status();
    if (*running) ToProto(**running, *response->mutable_running_job());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ProjectionService::RebuildProjections(
    grpc::CallbackServerContext* context, const store::v1::RebuildProjectionsRequest*,
    store::v1::RebuildProjectionsResponse* response) {
  return Run(context, [this, response](ProjectionJobs& jobs, const std::string& caller) {
    return Start(jobs, "rebuild", caller, {}, *response->mutable_job());
  });
}

grpc::ServerUnaryReactor* ProjectionService::VerifyProjections(
    grpc::CallbackServerContext* context, const store::v1::VerifyProjectionsRequest* request,
    store::v1::VerifyProjectionsResponse* response) {
  return Run(
      context,
      [this, request, response](ProjectionJobs& jobs, const std::string& caller) -> absl::Status {
        const auto scope = ReadScope(*request);
        if (!scope.ok()) return scope.status();
        if (!scope->all()) {
          if (absl::Status status = CheckThere(jobs, *scope); !status.ok()) return status;
        }
        return Start(jobs, "verify", caller, *scope, *response->mutable_job());
      });
}

grpc::ServerUnaryReactor* ProjectionService::GetProjectionJob(
    grpc::CallbackServerContext* context, const store::v1::GetProjectionJobRequest* request,
    store::v1::GetProjectionJobResponse* response) {
  return Run(context, [request, response](ProjectionJobs& jobs, const std::string&) {
    return Find(jobs, request->job_id(), *response->mutable_job());
  });
}

grpc::ServerUnaryReactor* ProjectionService::ListProjectionJobs(
    grpc::CallbackServerContext* context, const store::v1::ListProjectionJobsRequest* request,
    store::v1::ListProjectionJobsResponse* response) {
  return Run(
      context, [request, response](ProjectionJobs& jobs, const std::string&) -> absl::Status {
        if (absl::Status status = CheckState(request->state()); !status.ok()) return status;
        const int limit = request->has_limit() ? request->limit() : kDefaultLimit;
        if (limit < 1 || limit > kMostLimit) {
          return InvalidField("limit", StrCat("expected 1 to ", kMostLimit, ", got ", limit));
        }
        const auto listed = jobs.List(request->state(), limit);
        if (!listed.ok()) return listed.status();
        for (const ProjectionJob& job : *listed) ToProto(job, *response->add_jobs());
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* ProjectionService::CancelProjectionJob(
    grpc::CallbackServerContext* context, const store::v1::CancelProjectionJobRequest* request,
    store::v1::CancelProjectionJobResponse* response) {
  return Run(context,
             [request, response](ProjectionJobs& jobs, const std::string&) -> absl::Status {
               const auto id = ReadJobId(request->job_id());
               if (!id.ok()) return id.status();
               if (absl::Status status = jobs.Cancel(*id); !status.ok()) return status;
               return Find(jobs, request->job_id(), *response->mutable_job());
             });
}

}  // namespace god33::manager
