#include "tools/god33/event_stream.h"

#include <memory>
#include <utility>

#include "base/backoff.h"
#include "base/error.h"
#include "base/strings.h"
#include "tools/god33/api_client.h"
#include "tools/god33/event_view.h"
#include "tools/god33/interrupt.h"

namespace god33::cli {
namespace {

namespace v1 = store::v1;

class Follower {
 public:
  Follower(const EventStreamOptions& options, Session& session)
      : options_(options),
        session_(session),
        interrupt_(Interrupt::Install()),
        client_(session.options.api_address, session.options.timeout),
        request_(MakeRequest(options)),
        printer_(session.paper, *v1::ListEventsResponse::descriptor(), EventView()) {}

  absl::Status Run() {
    Backoff backoff(absl::Milliseconds(100), absl::Seconds(5), RandomFraction);
    for (;;) {
      const absl::Status status = FollowOnce(backoff);
      if (Enough() || !printed_.ok()) break;
      if (!begun_ || !GoesOnAfter(status)) return status;
      session_.Warn(StrCat("the stream broke at position ", request_.after(), " (",
                           MessageOf(status), "); going on"));
      if (interrupt_->WaitFor(backoff.Next())) break;
    }
    if (printed_.ok() && begun_) SayWhere();
    return printed_;
  }

 private:
  bool Enough() const {
    return interrupt_->requested() || (options_.most > 0 && events_ >= options_.most);
  }

  // One call, until it ends.
  absl::Status FollowOnce(Backoff& backoff) {
    grpc::ClientContext context;
    interrupt_->Guard(&context);
    const auto reader = client_.Stream(context, request_);
    v1::StreamEventsResponse frame;
    while (!Enough() && printed_.ok() && reader->Read(&frame)) {
      begun_ = true;
      backoff.Reset();
      Take(frame);
    }
    if (Enough() || !printed_.ok()) context.TryCancel();
    const absl::Status status = client_.EndOf(reader->Finish());
    interrupt_->Guard(nullptr);
    // A server has no reason to end a stream.
    return status.ok() ? absl::UnavailableError("the server ended it") : status;
  }

  void Take(v1::StreamEventsResponse& frame) {
    if (frame.has_event()) {
      v1::ListEventsResponse page;
      page.add_events()->Swap(frame.mutable_event());
      printed_ = printer_.AddPage(page);
      ++events_;
    }
    request_.set_after(frame.position());
    request_.set_within(frame.within());
  }

  void SayWhere() {
    session_.Note(
        StrCat("Go on with: --after ", request_.after(),
               request_.within() == 0 ? std::string() : StrCat(" --within ", request_.within())));
  }

  const EventStreamOptions& options_;
  Session& session_;
  std::shared_ptr<Interrupt> interrupt_;
  ApiClient client_;
  v1::StreamEventsRequest request_;
  ListPrinter printer_;
  absl::Status printed_;
  bool begun_ = false;
  std::int64_t events_ = 0;
};

}  // namespace

v1::StreamEventsRequest MakeRequest(const EventStreamOptions& options) {
  v1::StreamEventsRequest request;
  for (const std::string& type : options.types) request.add_event_types(type);
  if (!options.workflow.empty()) request.set_workflow_id(options.workflow);
  if (!options.correlation.empty()) request.set_correlation_id(options.correlation);
  if (!options.agent.empty()) request.set_agent_id(options.agent);
  if (!options.project.empty()) request.set_project(options.project);
  if (options.after) request.set_after(*options.after);
  request.set_within(options.within);
  return request;
}

absl::Status StreamEvents(const EventStreamOptions& options, Session& session) {
  const Format format = session.paper.format;
  if (format != Format::kTable && format != Format::kJsonl) {
    return InvalidField("--output", "a stream has no end: expected table or jsonl");
  }
  return Follower(options, session).Run();
}

}  // namespace god33::cli
