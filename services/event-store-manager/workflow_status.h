#pragma once

#include "god33/workflow/v1/workflow.pb.h"
#include "services/event-store-manager/workflow_store.h"

namespace god33::manager {

// What callers are told of a workflow.
workflow::v1::WorkflowStatus StatusOf(const WorkflowReading& reading);

}  // namespace god33::manager
