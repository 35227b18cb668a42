#include "services/event-store-api/stream_filter.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "services/event-store-api/query.h"

namespace god33::api {
namespace {

constexpr int kMostTypes = 50;

// Since when the event belongs to the group; nullopt: it does not.
template <typename Group>
std::optional<std::int64_t> SinceWhen(const std::vector<StreamEntry::Since<Group>>& groups,
                                      const Group& group) {
  for (const auto& since : groups) {
    if (since.group == group) return since.position;
  }
  return std::nullopt;
}

absl::Status ReadTypes(const store::v1::StreamEventsRequest& request, StreamFilter& filter) {
  if (request.event_types_size() > kMostTypes) {
    return InvalidField("event_types", StrCat("expected at most ", kMostTypes, " of them"));
  }
  for (const std::string& text : request.event_types()) {
    auto pattern = event::TypePattern::Parse(text);
    if (!pattern.ok()) return InvalidField("event_types", MessageOf(pattern.status()));
    filter.types.push_back(*std::move(pattern));
  }
  return absl::OkStatus();
}

absl::Status ReadGroups(const store::v1::StreamEventsRequest& request, StreamFilter& filter) {
  if (request.has_workflow_id()) {
    const auto id = ReadId("workflow_id", request.workflow_id());
    if (!id.ok()) return id.status();
    filter.workflow = *id;
  }
  if (request.has_correlation_id()) {
    const auto id = ReadId("correlation_id", request.correlation_id());
    if (!id.ok()) return id.status();
    filter.correlation = *id;
  }
  auto agent = ReadText("agent_id", request.has_agent_id(), request.agent_id());
  if (!agent.ok()) return agent.status();
  filter.agent = *std::move(agent);
  auto project = ReadText("project", request.has_project(), request.project());
  if (!project.ok()) return project.status();
  filter.project = *std::move(project);
  return absl::OkStatus();
}

}  // namespace

bool StreamFilter::Matches(const StreamEntry& entry) const {
  if (order() == StreamOrder::kSettled) {
    std::int64_t due = entry.position;
    if (workflow) {
      const auto since = SinceWhen(entry.workflows, *workflow);
      if (!since) return false;
      due = std::max(due, *since);
    }
    if (!project.empty()) {
      const auto since = SinceWhen(entry.projects, project);
      if (!since) return false;
      due = std::max(due, *since);
    }
    if (due != entry.due) return false;
  } else if (entry.late()) {
    return false;
  }
  if (!agent.empty() && entry.agent != agent) return false;
  if (correlation &&
      std::find(entry.parents.begin(), entry.parents.end(), *correlation) == entry.parents.end()) {
    return false;
  }
  return types.empty() || std::any_of(types.begin(), types.end(), [&entry](const auto& type) {
           return type.Matches(entry.type);
         });
}

StreamOrder StreamFilter::order() const {
  return workflow || !project.empty() ? StreamOrder::kSettled : StreamOrder::kLog;
}

absl::StatusOr<StreamRequest> ReadStreamRequest(const store::v1::StreamEventsRequest& request) {
  StreamRequest stream;
  absl::Status status = ReadTypes(request, stream.filter);
  if (status.ok()) status = ReadGroups(request, stream.filter);
  if (!status.ok()) return status;
  if (request.has_after()) {
    if (request.after() < 0) {
      return InvalidField("after", StrCat("expected 0 or more, got ", request.after()));
    }
    stream.after = request.after();
  }
  if (request.within() < 0 || request.within() > stream.after.value_or(0)) {
    return InvalidField("within", "expected what came with the position that is `after`");
  }
  stream.within = request.within();
  return stream;
}

}  // namespace god33::api
