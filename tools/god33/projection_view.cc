#include "tools/god33/projection_view.h"

#include <vector>

#include "base/strings.h"
#include "tools/god33/text.h"

namespace god33::cli {
namespace {

using store::v1::FrozenAggregate;
using store::v1::ProjectionDifference;
using store::v1::ProjectionJob;

constexpr char kNull[] = "(null)";
constexpr std::size_t kMostShown = 100;  // bytes of a value

std::string Result(const ProjectionJob& job) {
  if (!job.has_matches()) return "-";
  if (job.matches()) return "matches";
  return StrCat(job.differing(), " differ");
}

std::string ScopeOf(const ProjectionJob& job) {
  if (job.has_workflow_id()) return StrCat("workflow ", job.workflow_id());
  if (job.has_session_id()) return StrCat("session ", job.session_id());
  return "all";
}

Row JobRow(const google::protobuf::Message& message) {
  const auto& job = static_cast<const ProjectionJob&>(message);
  return {job.job_id(),    job.kind(),  job.state(), TextOf(job.created_at()),
          ProgressOf(job), Result(job), ScopeOf(job)};
}

std::string Shown(bool given, const std::string& value) {
  if (!given) return kNull;
  if (value.size() <= kMostShown) return value;
  return StrCat(Clip(value, kMostShown), " ...");
}

std::vector<std::string> DifferenceLines(const ProjectionJob& job) {
  std::vector<std::string> lines;
  for (const ProjectionDifference& difference : job.differences()) {
    std::string line =
        StrCat(difference.table(), " ", difference.id(), ": ", difference.difference());
    if (!difference.column().empty()) {
      StrAppend(&line, " ", difference.column(), ": ",
                Shown(difference.has_live(), difference.live()), " -> ",
                Shown(difference.has_folded(), difference.folded()));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

std::string ProgressOf(const ProjectionJob& job) {
  const std::int64_t percent =
      job.target() > 0 ? job.position() * 100 / job.target() : (job.phase() == "waiting" ? 0 : 100);
  return StrCat(job.phase(), ": ", job.position(), " of ", job.target(), " (", percent, " %)",
                job.phase() == "comparing" ? StrCat(", ", job.checked(), " rows compared") : "",
                job.state() == "running" && !job.error().empty() ? StrCat(", ", job.error()) : "");
}

std::string ProjectionDetails(const store::v1::GetProjectionsResponse& projections) {
  Details details;
  details.Add("position", StrCat(projections.position()));
  details.Add("head", StrCat(projections.head()));
  details.Add("lag", StrCat(projections.lag()));
  details.Add("generation", StrCat(projections.generation()));
  details.Add("frozen", StrCat(projections.frozen()));
  std::vector<std::string> lines;
  for (const FrozenAggregate& frozen : projections.frozen_aggregates()) {
    lines.push_back(StrCat(frozen.projection(), " ", frozen.id(), " at position ",
                           frozen.position(), ": ", frozen.error(), " (tried ", frozen.attempts(),
                           frozen.attempts() == 1 ? " time)" : " times)"));
  }
  details.AddLines("frozen_aggregates", lines);
  if (projections.has_running_job()) {
    const ProjectionJob& job = projections.running_job();
    details.Add("running_job", StrCat(job.kind(), " ", job.job_id(), ", ", ProgressOf(job)));
  }
  return details.Render();
}

ListView ProjectionJobView() {
  return {.columns =
              {{"JOB ID"}, {"KIND"}, {"STATE"}, {"CREATED"}, {"PROGRESS"}, {"RESULT"}, {"SCOPE"}},
          .row = JobRow};
}

std::string ProjectionJobDetails(const ProjectionJob& job) {
  Details details;
  details.Add("job_id", job.job_id());
  details.Add("kind", job.kind());
  details.Add("state", job.state());
  details.Add("progress", ProgressOf(job));
  details.Add("scope", ScopeOf(job));
  details.Add("folded", StrCat(job.folded()));
  details.Add("result", Result(job));
  if (job.has_compared_at()) {
    details.Add("compared_at", StrCat(job.compared_at()));
    details.Add("checked", StrCat(job.checked()));
    details.Add("changed", StrCat(job.changed()));
    details.Add("added", StrCat(job.added()));
    details.Add("removed", StrCat(job.removed()));
  }
  if (job.has_generation()) details.Add("generation", StrCat(job.generation()));
  details.Add("error", job.error());
  details.Add("created_at", TextOf(job.created_at()));
  if (job.has_ended_at()) details.Add("ended_at", TextOf(job.ended_at()));
  details.AddLines("differences", DifferenceLines(job));
  return details.Render();
}

}  // namespace god33::cli
