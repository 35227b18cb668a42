#include "workflow/next_step.h"

#include "base/error.h"
#include "base/strings.h"

namespace god33::workflow {
namespace {

absl::Status CheckMayFollow(Step step, const Uuid& workflow, const Chain& chain) {
  const std::string name = StrCat("the workflow ", workflow.ToString());
  if (step == Step::kStart) {
    if (chain.Last(kStartedType) == nullptr) return absl::OkStatus();
    return MakeError(absl::StatusCode::kAlreadyExists, "WORKFLOW_ALREADY_STARTED",
                     StrCat(name, " is started already; leave workflow_id out for a new one"),
                     "workflow_id");
  }
  if (!chain.known()) {
    return MakeError(absl::StatusCode::kNotFound, "WORKFLOW_NOT_FOUND",
                     StrCat("there is no workflow ", workflow.ToString(), "; start it first"),
                     "workflow_id");
  }
  if (const Link* completed = chain.Last(kCompletedType)) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "WORKFLOW_COMPLETED",
        StrCat(name, " is completed, by the event ", completed->id.ToString(), "; start a new one"),
        "workflow_id");
  }
  return absl::OkStatus();
}

absl::StatusOr<const Handoff*> HandoffToValidate(const std::optional<Uuid>& named,
                                                 const Handoffs& handoffs) {
  if (!named) return handoffs.all().empty() ? nullptr : &handoffs.all().back();
  if (const Handoff* handoff = handoffs.Find(*named)) return handoff;
  return MakeError(absl::StatusCode::kNotFound, "HANDOFF_NOT_FOUND",
                   StrCat("this workflow has no hand-off ", named->ToString()), "handoff_id");
}

absl::Status NotCompleted(std::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "HANDOFF_NOT_COMPLETED",
                   StrCat("there is nothing to validate: ", why), "handoff_id");
}

absl::StatusOr<Uuid> WorkToValidate(const Handoff* handoff, const Chain& chain) {
  if (handoff != nullptr) {
    if (handoff->completed_by) return *handoff->completed_by;
    return NotCompleted(StrCat("the hand-off ", handoff->id.ToString(), " to ", handoff->to, " is ",
                               NameOf(handoff->state), "; wait for it, or name another one"));
  }
  if (const Link* completed = chain.Last(kTaskCompletedType)) return completed->id;
  return NotCompleted("nothing was handed over");
}

// The newest of two, either of which may be missing.
const Link* Newer(const Link* one, const Link* other) {
  if (one == nullptr || other == nullptr) return one == nullptr ? other : one;
  return one->position > other->position ? one : other;
}

// `first`, and `also` if that is later.
std::vector<Uuid> Both(const Link* first, const Link* also) {
  std::vector<Uuid> parents;
  if (first != nullptr) parents.push_back(first->id);
  if (also != nullptr && also != first && (first == nullptr || also->position > first->position)) {
    parents.push_back(also->id);
  }
  return parents;
}

const Link* PhaseOf(const Chain& chain) {
  const Link* phase = chain.Last(kPhaseCompletedType);
  return phase == nullptr ? chain.Last(kStartedType) : phase;
}

const Link* EndOf(const Chain& chain) {
  for (const char* type : {kValidationRequestedType, kTaskCompletedType}) {
    if (const Link* link = chain.Last(type)) return link;
  }
  return PhaseOf(chain);
}

}  // namespace

const char* EventTypeOf(Step step) {
  switch (step) {
    case Step::kStart:
      return kStartedType;
    case Step::kCompletePhase:
      return kPhaseCompletedType;
    case Step::kRequestHandoff:
      return kHandoffRequestedType;
    case Step::kRequestValidation:
      return kValidationRequestedType;
    case Step::kComplete:
      return kCompletedType;
  }
  return "";
}

absl::StatusOr<std::vector<Uuid>> ParentsOf(const StepRequest& request, const Uuid& workflow,
                                            const Chain& chain, const Handoffs& handoffs) {
  if (absl::Status status = CheckMayFollow(request.step, workflow, chain); !status.ok()) {
    return status;
  }
  absl::StatusOr<const Handoff*> handoff = nullptr;
  if (request.step == Step::kRequestValidation) {
    handoff = HandoffToValidate(request.handoff, handoffs);
    if (!handoff.ok()) return handoff.status();
  }
  if (request.parents) return *request.parents;
  switch (request.step) {
    case Step::kStart:
      break;
    case Step::kCompletePhase:
      return Both(PhaseOf(chain), chain.Last(kValidationRequestedType));
    case Step::kRequestHandoff:
      return Both(PhaseOf(chain),
                  Newer(chain.Last(kTaskCompletedType), chain.Last(kValidationRequestedType)));
    case Step::kRequestValidation: {
      const auto work = WorkToValidate(*handoff, chain);
      if (!work.ok()) return work.status();
      return std::vector<Uuid>{*work};
    }
    case Step::kComplete:
      return Both(EndOf(chain), chain.Last(kPhaseCompletedType));
  }
  return std::vector<Uuid>();
}

}  // namespace god33::workflow
