#include "services/event-store-api/timeline.h"

#include <utility>

#include "event/facts.h"
#include "event/summary.h"
#include "wire/proto.h"

namespace god33::api {

absl::StatusOr<EventQuery> ReadQuery(const store::v1::GetWorkflowTimelineRequest& request) {
  store::v1::ListEventsRequest list;
  list.set_workflow_id(request.workflow_id());
  if (request.has_limit()) list.set_limit(request.limit());
  list.set_page_token(request.page_token());
  list.set_order(request.order());
  list.set_min_position(request.min_position());
  auto query = ReadQuery(list);
  if (query.ok()) query->counted = false;
  return query;
}

void ToProto(const EventQuery& query, const EventPage& page,
             store::v1::GetWorkflowTimelineResponse& response) {
  response.set_workflow_id(query.filter.workflow->ToString());
  for (const eventlog::StoredEvent& event : page.events) {
    store::v1::TimelineEntry& entry = *response.add_timeline();
    *entry.mutable_timestamp() = wire::ToProto(event.envelope.time);
    entry.set_event_type(event.envelope.type);
    entry.set_event_id(event.envelope.id.ToString());
    entry.set_agent(event::FactsOf(event.envelope).agent_id);
    entry.set_summary(event::Summarize(event.envelope));
    entry.set_position(event.position);
  }
  response.set_next_page_token(page.next_page_token);
  response.set_position(page.position);
  response.set_horizon(page.horizon);
}

}  // namespace god33::api
