#pragma once

#include <string>

#include "god33/store/v1/event_store.pb.h"
#include "god33/workflow/v1/workflow.pb.h"
#include "tools/god33/printer.h"

namespace god33::cli {

// Workflows for people.

ListView WorkflowView();
ListView TimelineView();

// All there is to know about one workflow, except the ids of its events.
std::string WorkflowDetails(const store::v1::Workflow& workflow);

// The event that a step would be.
std::string StepForecast(const workflow::v1::WorkflowStep& step);

// Where a workflow is, with its hand-offs and open questions.
std::string StatusDetails(const workflow::v1::WorkflowStatus& status);

}  // namespace god33::cli
