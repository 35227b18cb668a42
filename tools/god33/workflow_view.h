#pragma once

#include <string>

#include "god33/store/v1/event_store.pb.h"
#include "tools/god33/printer.h"

namespace god33::cli {

// Workflows for people.

ListView WorkflowView();
ListView TimelineView();

// All there is to know about one workflow, except the ids of its events.
std::string WorkflowDetails(const store::v1::Workflow& workflow);

}  // namespace god33::cli
