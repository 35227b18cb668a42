#pragma once

#include "god33/store/v1/event_store.pb.h"
#include "projection/workflow.h"

namespace god33::api {

// A workflow's state as clients see it, wherever it was folded.
void ToProto(const projection::WorkflowState& state, store::v1::Workflow& workflow);

}  // namespace god33::api
