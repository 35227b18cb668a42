#include "tools/god33/projection_actions.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/stop.h"
#include "base/strings.h"
#include "god33/store/v1/projection.grpc.pb.h"
#include "tools/god33/api_client.h"
#include "tools/god33/projection_view.h"

namespace god33::cli {
namespace {

namespace v1 = store::v1;

using Client = ServiceClient<v1::ProjectionService>;

// How long a manager may be away while its job is waited for.
constexpr absl::Duration kPatience = absl::Minutes(1);
constexpr absl::Duration kPoll = absl::Milliseconds(500);

Client ClientOf(const Session& session) {
  return Client(EventStoreManager(), session.options.timeout);
}

absl::StatusOr<v1::ProjectionJob> Ask(Client& client, const std::string& id) {
  v1::GetProjectionJobRequest request;
  request.set_job_id(id);
  auto answer = client.Call(&Client::Stub::GetProjectionJob, request);
  if (!answer.ok()) return answer.status();
  return std::move(*answer->mutable_job());
}

// Changes when there is something to tell: another phase, another tenth, another reason to wait.
std::string Milestone(const v1::ProjectionJob& job) {
  const std::int64_t tenth = job.target() > 0 ? job.position() * 10 / job.target() : 0;
  return StrCat(job.phase(), " ", tenth, " ", job.error());
}

absl::StatusOr<v1::ProjectionJob> WaitForEnd(Client& client, const std::string& id,
                                             Session& session) {
  const bool tell = isatty(STDERR_FILENO) != 0;
  session.Note(StrCat("Waiting for job ", id,
                      "; it goes on without this command, and `god33 projection cancel ", id,
                      "` ends it."));
  Stop never;
  std::string told;
  std::int64_t answered = MonotonicNanos();
  for (;;) {
    auto job = Ask(client, id);
    if (job.ok()) {
      if (job->state() != "running") return job;
      answered = MonotonicNanos();
      const std::string milestone = Milestone(*job);
      if (tell && milestone != told) session.Note(ProgressOf(*job));
      told = milestone;
    } else if (!GoesOnAfter(job.status()) ||
               MonotonicNanos() - answered > absl::ToInt64Nanoseconds(kPatience)) {
      return job;
    }
    never.WaitFor(kPoll);
  }
}

// What a job's end means for who has waited for it.
absl::Status Judge(const v1::ProjectionJob& job) {
  if (job.state() == "failed") {
    return MakeError(absl::StatusCode::kFailedPrecondition, "PROJECTION_JOB_FAILED",
                     StrCat("the ", job.kind(), " failed: ", job.error()));
  }
  if (job.state() == "cancelled") {
    return MakeError(
        absl::StatusCode::kCancelled, "PROJECTION_JOB_CANCELLED",
        StrCat("the ", job.kind(), " was cancelled; the projections are as they were"));
  }
  if (job.kind() == "rebuild" || job.matches()) return absl::OkStatus();
  return WithHint(
      MakeError(absl::StatusCode::kFailedPrecondition, "PROJECTIONS_DIFFER",
                StrCat(job.differing(), " of ", job.checked(), " rows are not what the log gives")),
      "`god33 projection rebuild` mends them");
}

absl::Status PrintJob(const v1::ProjectionJob& job, Session& session) {
  return PrintMessage(session.paper, job, [&] { return ProjectionJobDetails(job); });
}

absl::Status SeeThrough(Client& client, const v1::ProjectionJob& started, bool detach,
                        Session& session) {
  if (detach) return PrintJob(started, session);
  const auto job = WaitForEnd(client, started.job_id(), session);
  if (!job.ok()) return job.status();
  if (absl::Status status = PrintJob(*job, session); !status.ok()) return status;
  return Judge(*job);
}

}  // namespace

absl::Status ShowProjections(Session& session) {
  const auto answer =
      ClientOf(session).Call(&Client::Stub::GetProjections, v1::GetProjectionsRequest());
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, *answer, [&] { return ProjectionDetails(*answer); });
}

absl::Status RebuildProjections(const RebuildOptions& options, Session& session) {
  Client client = ClientOf(session);
  const auto answer =
      client.Call(&Client::Stub::RebuildProjections, v1::RebuildProjectionsRequest());
  if (!answer.ok()) return answer.status();
  return SeeThrough(client, answer->job(), options.detach, session);
}

absl::Status VerifyProjections(const VerifyOptions& options, Session& session) {
  Client client = ClientOf(session);
  v1::VerifyProjectionsRequest request;
  if (!options.workflow.empty()) request.set_workflow_id(options.workflow);
  if (!options.session.empty()) request.set_session_id(options.session);
  const auto answer = client.Call(&Client::Stub::VerifyProjections, request);
  if (!answer.ok()) return answer.status();
  return SeeThrough(client, answer->job(), options.detach, session);
}

absl::Status ListProjectionJobs(const JobsOptions& options, Session& session) {
  v1::ListProjectionJobsRequest request;
  request.set_state(options.state);
  if (options.limit) request.set_limit(*options.limit);
  const auto answer = ClientOf(session).Call(&Client::Stub::ListProjectionJobs, request);
  if (!answer.ok()) return answer.status();
  ListPrinter printer(session.paper, *v1::ListProjectionJobsResponse::descriptor(),
                      ProjectionJobView());
  if (absl::Status status = printer.AddPage(*answer); !status.ok()) return status;
  return printer.Finish(*answer);
}

absl::Status ShowProjectionJob(const std::string& id, Session& session) {
  Client client = ClientOf(session);
  const auto job = Ask(client, id);
  if (!job.ok()) return job.status();
  return PrintJob(*job, session);
}

absl::Status CancelProjectionJob(const std::string& id, Session& session) {
  v1::CancelProjectionJobRequest request;
  request.set_job_id(id);
  const auto answer = ClientOf(session).Call(&Client::Stub::CancelProjectionJob, request);
  if (!answer.ok()) return answer.status();
  return PrintJob(answer->job(), session);
}

}  // namespace god33::cli
