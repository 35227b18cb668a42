#include "services/event-store-manager/workflow_request.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "json/value.h"
#include "json/write.h"
#include "projection/limits.h"
#include "projection/workflow.h"
#include "services/event-store-manager/idempotency.h"
#include "wire/proto.h"
#include "wire/timestamp.h"

namespace god33::manager {
namespace {

namespace v1 = workflow::v1;

using workflow::Step;

constexpr char kDefaultHost[] = "unknown";
constexpr char kDefaultType[] = "agent";
constexpr char kDefaultApp[] = "bmad-orchestrator";

absl::StatusOr<Uuid> ReadId(std::string_view field, const std::string& text) {
  if (const auto id = Uuid::Parse(text)) return *id;
  return InvalidField(field, text.empty()
                                 ? "expected a UUID, got none"
                                 : StrCat("expected a UUID, got \"", Clip(text, 80), "\""));
}

// Reads what all calls have, then the members of the payload one by one. The first error stays.
template <typename Request>
class Reader {
 public:
  Reader(Step step, const Request& request) : request_(request) {
    call_.request.step = step;
    ReadWorkflow();
    ReadParents();
    call_.source = request.source();
    call_.agent_context = request.agent_context();
    if (!call_.agent_context.has_type() && !request.from_agent().empty()) {
      call_.agent_context.set_type(request.from_agent());
    }
    call_.validate_only = request.validate_only();
    call_.request_id = request.request_id();
    if (!call_.request_id.empty()) Keep(CheckKey("request_id", call_.request_id));
    Limited("from_agent", request.from_agent(), projection::kMostAgent);
  }

  // The folds would stand still at what their tables can't hold.
  Reader& Limited(const char* field, const std::string& text, std::size_t most) {
    if (projection::CheckFits(field, text, most).ok()) return *this;
    Keep(InvalidField(field, StrCat("expected at most ", most, " characters and no NUL, got ",
                                    CountCharacters(text), " characters")));
    return *this;
  }

  // A member, if there is a text.
  Reader& Text(const char* field, const std::string& text) {
    if (text.empty()) return *this;
    std::string json;
    json::Writer(json).String(text);
    call_.payload.emplace_back(field, std::move(json));
    return *this;
  }

  Reader& Text(const char* field, const std::string& text, std::size_t most) {
    return Limited(field, text, most).Text(field, text);
  }

  Reader& Json(const char* field, const std::string& text) {
    if (text.empty()) return *this;
    const auto value = json::Value::Parse(text);
    if (!value.ok()) {
      Keep(InvalidField(field, MessageOf(value.status())));
    } else {
      call_.payload.emplace_back(field, std::string(value->text()));
    }
    return *this;
  }

  Reader& Time(const char* field, const google::protobuf::Timestamp& proto) {
    const auto time = wire::ReadTime(field, proto);
    Keep(time.status());
    return time.ok() ? Text(field, FormatTimestamp(*time)) : *this;
  }

  Reader& Handoff(const std::string& text) {
    if (text.empty()) return *this;
    const auto id = ReadId("handoff_id", text);
    Keep(id.status());
    if (id.ok()) call_.request.handoff = *id;
    return *this;
  }

  absl::StatusOr<StepCall> Finish() {
    if (!status_.ok()) return status_;
    return std::move(call_);
  }

 private:
  void Keep(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }

  void ReadWorkflow() {
    if (call_.request.step == Step::kStart && request_.workflow_id().empty()) return;
    const auto id = ReadId("workflow_id", request_.workflow_id());
    Keep(id.status());
    if (id.ok()) call_.workflow = *id;
  }

  void ReadParents() {
    if (request_.correlation_ids().empty()) return;
    std::vector<Uuid>& parents = call_.request.parents.emplace();
    for (int i = 0; i < request_.correlation_ids_size(); ++i) {
      const auto id = ReadId(StrCat("correlation_ids[", i, "]"), request_.correlation_ids(i));
      Keep(id.status());
      if (!id.ok()) return;
      if (std::find(parents.begin(), parents.end(), *id) == parents.end()) parents.push_back(*id);
    }
  }

  const Request& request_;
  StepCall call_;
  absl::Status status_;
};

std::string PayloadOf(const StepCall& call, const Uuid& workflow) {
  std::string text;
  json::Writer writer(text);
  writer.BeginObject();
  writer.Key("workflow_id");
  writer.String(workflow.ToString());
  for (const auto& [name, json] : call.payload) {
    writer.Key(name);
    writer.Raw(json);
  }
  writer.EndObject();
  return text;
}

void Complete(event::v1::Source& source) {
  if (source.host().empty()) source.set_host(kDefaultHost);
  if (source.type().empty()) source.set_type(kDefaultType);
  if (source.app().empty()) source.set_app(kDefaultApp);
}

// "project_name: is required" is about the request's field of that name.
absl::Status PayloadError(const std::string& error) {
  const std::size_t colon = error.find(": ");
  return InvalidField(error.substr(0, colon),
                      colon == std::string::npos ? error : error.substr(colon + 2));
}

}  // namespace

absl::StatusOr<Uuid> ReadWorkflowId(const std::string& text) {
  return ReadId("workflow_id", text);
}

absl::StatusOr<StepCall> ReadCall(const v1::StartWorkflowRequest& request) {
  return Reader(Step::kStart, request)
      .Text("project_name", request.project_name(), projection::kMostProject)
      .Text("phase", request.phase(), projection::kMostPhase)
      .Finish();
}

absl::StatusOr<StepCall> ReadCall(const v1::CompletePhaseRequest& request) {
  return Reader(Step::kCompletePhase, request)
      .Text("phase", request.phase(), projection::kMostPhase)
      .Text("next_phase", request.next_phase(), projection::kMostPhase)
      .Text("from_agent", request.from_agent())
      .Text("summary", request.summary())
      .Finish();
}

absl::StatusOr<StepCall> ReadCall(const v1::RequestHandoffRequest& request) {
  Reader reader(Step::kRequestHandoff, request);
  reader.Text("from_agent", request.from_agent())
      .Text("to_agent", request.to_agent(), projection::kMostAgent)
      .Text("task_type", request.task_type())
      .Text("task_description", request.task_description())
      .Json("context", request.context().text());
  if (request.has_deadline()) reader.Time("deadline", request.deadline());
  return reader.Text("priority", request.priority()).Finish();
}

absl::StatusOr<StepCall> ReadCall(const v1::RequestValidationRequest& request) {
  return Reader(Step::kRequestValidation, request)
      .Handoff(request.handoff_id())
      .Text("from_agent", request.from_agent())
      .Text("target_agent", request.target_agent(), projection::kMostAgent)
      .Finish();
}

absl::StatusOr<StepCall> ReadCall(const v1::CompleteWorkflowRequest& request) {
  return Reader(Step::kComplete, request).Text("summary", request.summary()).Finish();
}

absl::StatusOr<sequence::NewEvent> MakeEvent(const StepCall& call, const Uuid& event_id,
                                             const Uuid& workflow, const std::vector<Uuid>& parents,
                                             const wire::PayloadRegistry& registry, Clock& clock) {
  event::v1::EventEnvelope proto;
  proto.set_event_id(event_id.ToString());
  proto.set_event_type(workflow::EventTypeOf(call.request.step));
  *proto.mutable_timestamp() = wire::ToProto(clock.Now());
  *proto.mutable_source() = call.source;
  Complete(*proto.mutable_source());
  for (const Uuid& parent : parents) proto.add_correlation_ids(parent.ToString());
  *proto.mutable_agent_context() = call.agent_context;
  proto.mutable_payload()->set_text(PayloadOf(call, workflow));
  auto envelope = wire::FromProto(proto);
  if (!envelope.ok()) return envelope.status();
  const std::vector<std::string> errors = registry.Check(envelope->type, envelope->payload);
  if (!errors.empty()) return PayloadError(errors.front());
  sequence::NewEvent event = sequence::Prepare(*std::move(envelope));
  event.appended = true;
  event.time_is_ours = true;
  return event;
}

}  // namespace god33::manager
