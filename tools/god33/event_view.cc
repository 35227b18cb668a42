#include "tools/god33/event_view.h"

#include "base/strings.h"
#include "event/facts.h"
#include "god33/store/v1/event_store.pb.h"
#include "tools/god33/text.h"
#include "wire/proto.h"

namespace god33::cli {
namespace {

using event::v1::EventEnvelope;
using google::protobuf::Message;

Row EventRow(const Message& message) {
  const auto& event = static_cast<const EventEnvelope&>(message);
  return {StrCat(event.position()), TextOf(event.timestamp()), event.event_type(), event.event_id(),
          AgentOf(event)};
}

Row TypeRow(const Message& message) {
  const auto& type = static_cast<const store::v1::EventType&>(message);
  return {type.name(), type.registered() ? "yes" : "no",
          type.has_first_position() ? StrCat(type.first_position()) : "-", type.summary()};
}

}  // namespace

std::string AgentOf(const EventEnvelope& event) {
  const auto envelope = wire::FromProto(event);
  return envelope.ok() ? event::FactsOf(*envelope).agent_id : "";
}

ListView EventView() {
  return {.columns = {{"POSITION", true}, {"TIMESTAMP"}, {"TYPE"}, {"EVENT ID"}, {"AGENT"}},
          .row = EventRow};
}

ListView EventTypeView() {
  return {.columns = {{"TYPE"}, {"SCHEMA"}, {"FIRST POSITION", true}, {"SUMMARY"}}, .row = TypeRow};
}

std::string EventDetails(const EventEnvelope& event) {
  Details details;
  details.Add("event_id", event.event_id());
  details.Add("event_type", event.event_type());
  details.Add("timestamp", TextOf(event.timestamp()));
  details.Add("position", StrCat(event.position()));
  if (event.has_recorded_at()) details.Add("recorded_at", TextOf(event.recorded_at()));
  details.Add("version", event.version());
  details.AddLines("source", JsonLines(event.source()));
  details.AddLines("correlation_ids", LinesOf(event.correlation_ids()));
  if (event.has_agent_context())
    details.AddLines("agent_context", JsonLines(event.agent_context()));
  details.AddLines("payload_errors", LinesOf(event.payload_errors()));
  details.AddLines("payload", JsonLines(event.payload().text()));
  return details.Render();
}

}  // namespace god33::cli
