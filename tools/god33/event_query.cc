#include "tools/god33/event_query.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "tools/god33/api_client.h"
#include "tools/god33/event_view.h"
#include "tools/god33/moment.h"
#include "tools/god33/text.h"

namespace god33::cli {
namespace {

namespace v1 = store::v1;

ApiClient ClientOf(const Session& session) {
  return ApiClient(session.options.api_address, session.options.timeout);
}

std::string FlagOf(const char* flag, bool given, const google::protobuf::Timestamp& time) {
  if (!given) return "";
  return StrCat(" ", flag, " ", TextOf(time));
}

// A page token belongs to its filters, so spans of time must become the times they were.
std::string HowToGoOn(const v1::ListEventsRequest& request, const v1::ListEventsResponse& answer) {
  return StrCat("There are more (", answer.total_exact() ? "" : "at least ", answer.total(),
                " match). Go on with: --page-token ", answer.next_page_token(),
                FlagOf("--since", request.has_since(), request.since()),
                FlagOf("--until", request.has_end_time(), request.end_time()),
                " and the same other filters; or take --all.");
}

}  // namespace

absl::StatusOr<v1::ListEventsRequest> MakeRequest(const EventListOptions& options, absl::Time now) {
  v1::ListEventsRequest request;
  if (!options.workflow.empty()) request.set_workflow_id(options.workflow);
  for (const std::string& type : options.types) request.add_event_type(type);
  if (!options.correlation.empty()) request.set_correlation_id(options.correlation);
  if (!options.collaboration.empty()) request.set_collaboration_id(options.collaboration);
  if (!options.agent.empty()) request.set_agent_id(options.agent);
  if (!options.session.empty()) request.set_session_id(options.session);
  if (!options.since.empty()) {
    auto since = ReadMoment("--since", options.since, now);
    if (!since.ok()) return since.status();
    *request.mutable_since() = *std::move(since);
  }
  if (!options.until.empty()) {
    auto until = ReadMoment("--until", options.until, now);
    if (!until.ok()) return until.status();
    *request.mutable_end_time() = *std::move(until);
  }
  request.set_order(options.order);
  SetPaging(options.paging, request);
  return request;
}

absl::Status ListEvents(const EventListOptions& options, Session& session) {
  const auto request = MakeRequest(options, session.clock.Now());
  if (!request.ok()) return request.status();
  ApiClient client = ClientOf(session);
  ListPrinter printer(session.paper, *v1::ListEventsResponse::descriptor(), EventView());
  const auto last = PrintPages(*request, options.paging.all, printer,
                               [&client](const v1::ListEventsRequest& page) {
                                 return client.Call(&ApiClient::Stub::ListEvents, page);
                               });
  if (!last.ok()) return last.status();
  if (!last->next_page_token().empty()) session.Note(HowToGoOn(*request, *last));
  return absl::OkStatus();
}

absl::Status GetEvent(const std::string& id, std::int64_t min_position, Session& session) {
  v1::GetEventRequest request;
  request.set_event_id(id);
  request.set_min_position(min_position);
  const auto answer = ClientOf(session).Call(&ApiClient::Stub::GetEvent, request);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, answer->event(),
                      [&] { return EventDetails(answer->event()); });
}

absl::Status ListEventTypes(Session& session) {
  const auto answer =
      ClientOf(session).Call(&ApiClient::Stub::ListEventTypes, v1::ListEventTypesRequest());
  if (!answer.ok()) return answer.status();
  ListPrinter printer(session.paper, *v1::ListEventTypesResponse::descriptor(), EventTypeView());
  if (absl::Status status = printer.AddPage(*answer); !status.ok()) return status;
  return printer.Finish(*answer);
}

}  // namespace god33::cli
