#pragma once

#include "absl/status/statusor.h"
#include "god33/store/v1/timeline.pb.h"
#include "services/event-store-api/event_store.h"
#include "services/event-store-api/query.h"

// A workflow's events as people read them: a list of events like any other, shown in short.

namespace god33::api {

absl::StatusOr<EventQuery> ReadQuery(const store::v1::GetWorkflowTimelineRequest& request);

void ToProto(const EventQuery& query, const EventPage& page,
             store::v1::GetWorkflowTimelineResponse& response);

}  // namespace god33::api
