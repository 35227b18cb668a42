#include "services/event-store-manager/workflow_steps.h"

#include <optional>
#include <utility>

#include "absl/synchronization/notification.h"
#include "base/error.h"
#include "base/strings.h"
#include "json/write.h"
#include "pg/error.h"
#include "services/event-store-manager/workflow_status.h"
#include "workflow/next_step.h"

namespace god33::manager {
namespace {

namespace v1 = workflow::v1;

constexpr absl::Duration kWait = absl::Seconds(2);
constexpr char kFailed[] = "a step of a workflow failed";

// Each time somebody else has come forward, so this is more than enough.
constexpr int kTries = 50;

v1::WorkflowStep Told(const Uuid& event_id, const std::string& type, const Uuid& workflow,
                      const std::vector<Uuid>& parents) {
  v1::WorkflowStep step;
  step.set_workflow_id(workflow.ToString());
  step.set_event_id(event_id.ToString());
  step.set_event_type(type);
  for (const Uuid& parent : parents) step.add_correlation_ids(parent.ToString());
  return step;
}

// Whoever asks for a validation need not say whose work it is: it is the hand-off's.
void AddTarget(StepCall& call, const workflow::Handoffs& handoffs) {
  for (const auto& [name, json] : call.payload) {
    if (name == "target_agent") return;
  }
  const workflow::Handoff* handoff = call.request.handoff     ? handoffs.Find(*call.request.handoff)
                                     : handoffs.all().empty() ? nullptr
                                                              : &handoffs.all().back();
  if (handoff == nullptr || handoff->to.empty()) return;
  std::string json;
  json::Writer(json).String(handoff->to);
  call.payload.emplace_back("target_agent", std::move(json));
}

}  // namespace

WorkflowSteps::WorkflowSteps(LogWriter& writer, const wire::PayloadRegistry& registry, Clock& clock,
                             IdSource& ids, pg::Config database, std::size_t readers)
    : writer_(writer),
      registry_(registry),
      clock_(clock),
      ids_(ids),
      keys_(database),
      pool_(std::move(database), readers) {}

absl::StatusOr<v1::WorkflowStep> WorkflowSteps::Take(const StepCall& call,
                                                     const std::string& caller,
                                                     std::string_view request) {
  const auto ids = IdsFor(call, caller, request);
  if (!ids.ok()) return ids.status();
  for (int i = 0; i < kTries; ++i) {
    auto step = TryTake(call, *ids);
    // ID_CONFLICT: the same call, made twice at once, has just been carried out; the next try finds it.
    const bool again = absl::IsAborted(step.status()) || ReasonOf(step.status()) == "ID_CONFLICT";
    if (!again) return step.ok() ? step : pg::ForCaller(step.status(), kFailed);
  }
  return MakeError(absl::StatusCode::kAborted, "WORKFLOW_BUSY",
                   "too many others steer this workflow just now; retry");
}

absl::StatusOr<WorkflowSteps::Ids> WorkflowSteps::IdsFor(const StepCall& call,
                                                         const std::string& caller,
                                                         std::string_view request) {
  const auto take = [&call](IdSource& source) {
    Ids ids{.event = source.New()};
    ids.workflow = call.workflow ? *call.workflow : source.New();
    return ids;
  };
  if (call.request_id.empty() || call.validate_only) return take(ids_);
  const auto claim = keys_.Claim(caller, call.request_id, request);
  if (!claim.ok()) return claim.status();
  ClaimedIds claimed(*claim);
  return take(claimed);
}

absl::StatusOr<v1::WorkflowStep> WorkflowSteps::TryTake(const StepCall& call, const Ids& ids) {
  std::optional<WorkflowReading> reading;
  {
    auto connection = pool_.AcquireAlive(kWait);
    if (!connection.ok()) return connection.status();
    WorkflowStore store(**connection);
    if (!call.request_id.empty() && !call.validate_only) {
      const auto stored = store.Find(ids.event);
      if (!stored.ok()) return stored.status();
      if (*stored) {
        v1::WorkflowStep step =
            Told(ids.event, (*stored)->type, (*stored)->workflow.value_or(ids.workflow),
                 (*stored)->parents);
        step.set_position((*stored)->position);
        step.set_duplicate(true);
        return step;
      }
    }
    auto read = store.Read(ids.workflow);
    if (!read.ok()) return read.status();
    reading = *std::move(read);
  }

  const workflow::Handoffs handoffs(reading->chain);
  const auto parents = workflow::ParentsOf(call.request, ids.workflow, reading->chain, handoffs);
  if (!parents.ok()) return parents.status();
  StepCall complete = call;
  if (call.request.step == workflow::Step::kRequestValidation) AddTarget(complete, handoffs);
  auto event = MakeEvent(complete, ids.event, ids.workflow, *parents, registry_, clock_);
  if (!event.ok()) return event.status();

  v1::WorkflowStep step = Told(ids.event, event->envelope.type, ids.workflow, *parents);
  if (call.validate_only) {
    step.clear_event_id();
    if (!call.workflow) step.clear_workflow_id();
    step.mutable_payload()->set_text(event->envelope.payload);
    return step;
  }
  sequence::Unit unit{.aggregate =
                          sequence::Aggregate{.name = WorkflowStore::AggregateOf(ids.workflow),
                                              .expected_version = reading->version}};
  unit.events.push_back(*std::move(event));
  const auto outcome = Append(std::move(unit));
  if (!outcome.ok()) return outcome.status();
  step.set_position(outcome->placed[0].position);
  step.set_duplicate(outcome->placed[0].duplicate);
  return step;
}

absl::StatusOr<sequence::Outcome> WorkflowSteps::Append(sequence::Unit unit) {
  absl::StatusOr<sequence::Outcome> told;
  absl::Notification done;
  Submission submission;
  submission.received_nanos = MonotonicNanos();
  submission.bytes = unit.events[0].envelope.payload.size();
  submission.unit = std::move(unit);
  submission.done = [&](absl::StatusOr<sequence::Outcome> outcome) {
    told = std::move(outcome);
    done.Notify();
  };
  if (absl::Status status = writer_.SubmitAppend(std::move(submission)); !status.ok()) {
    return status;
  }
  done.WaitForNotification();
  return told;
}

absl::StatusOr<v1::WorkflowStatus> WorkflowSteps::Status(const Uuid& workflow) {
  auto connection = pool_.AcquireAlive(kWait);
  if (!connection.ok()) return pg::ForCaller(connection.status(), kFailed);
  const auto reading = WorkflowStore(**connection).Read(workflow);
  if (!reading.ok()) return pg::ForCaller(reading.status(), kFailed);
  if (!reading->chain.known()) {
    return MakeError(absl::StatusCode::kNotFound, "WORKFLOW_NOT_FOUND",
                     StrCat("there is no workflow ", workflow.ToString()), "workflow_id");
  }
  return StatusOf(*reading);
}

}  // namespace god33::manager
