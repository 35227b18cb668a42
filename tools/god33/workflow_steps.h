#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tools/god33/session.h"

namespace god33::cli {

// What all steps of a workflow have in common; empty is not given.
struct StepOptions {
  std::string workflow;
  std::string from;  // the agent that acts
  std::vector<std::string> parents;
  std::string request_id;
  bool dry_run = false;
};

struct StartOptions {
  StepOptions step;
  std::string project;
  std::string phase;
};

struct PhaseOptions {
  StepOptions step;
  std::string phase;
  std::string next;
  std::string summary;
};

struct HandoffOptions {
  StepOptions step;
  std::string to;
  std::string task;
  std::string task_type;
  std::string context;  // where the JSON comes from (input.h)
  std::string deadline;
  std::string priority;
  bool wait = false;
  std::optional<absl::Duration> timeout;  // of the wait if there is one, else of the call
};

struct ValidateOptions {
  StepOptions step;
  std::string agent;
  std::string handoff;
};

struct CompleteOptions {
  StepOptions step;
  std::string summary;
};

struct WaitOptions {
  std::string workflow;
  std::string handoff;                    // empty: the newest
  std::optional<absl::Duration> timeout;  // nullopt: without end
};

// Each takes a step by event-store-manager and prints the event's id, start the workflow's (as a table), or
// the whole answer; with dry_run the event that it would be. The errors are those of WorkflowService, of an
// answer that was lost with the hint how to ask again safely.
absl::Status StartWorkflow(const StartOptions& options, Session& session);
absl::Status CompletePhase(const PhaseOptions& options, Session& session);
absl::Status RequestValidation(const ValidateOptions& options, Session& session);
absl::Status CompleteWorkflow(const CompleteOptions& options, Session& session);

// The same; or with `wait` goes on as WaitForHandoff does.
absl::Status RequestHandoff(const HandoffOptions& options, Session& session);

// Waits for the end of a hand-off (workflow_wait.h).
absl::Status WaitForWorkflow(const WaitOptions& options, Session& session);

absl::Status ShowWorkflowStatus(const std::string& workflow, Session& session);

}  // namespace god33::cli
