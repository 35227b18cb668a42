#include "services/event-store-manager/service.h"

#include <utility>
#include <vector>

#include "auth/principal.h"
#include "base/error.h"
#include "base/strings.h"
#include "rpc/principal.h"
#include "rpc/status.h"
#include "services/event-store-manager/append_request.h"

namespace god33::manager {
namespace {

using store::v1::AppendEventRequest;
using store::v1::AppendEventResponse;
using store::v1::AppendEventsRequest;
using store::v1::AppendEventsResponse;

constexpr int kMostEvents = 1000;
constexpr std::size_t kKeyThreads = 2;
constexpr std::size_t kMostKeysWaiting = 1000;

template <typename Request>
AppendTerms TermsOf(const Request& request) {
  AppendTerms terms{.aggregate = request.aggregate(), .validate = request.validate()};
  if (request.has_expected_version()) terms.expected_version = request.expected_version();
  return terms;
}

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(rpc::ToGrpc(status));
  return reactor;
}

// What the answer says of an event, known before it is stored.
struct Told {
  std::string event_id;
  std::vector<std::string> payload_errors;
};

std::vector<Told> Tell(const sequence::Unit& unit) {
  std::vector<Told> told;
  for (const sequence::NewEvent& event : unit.events) {
    told.push_back({event.envelope.id.ToString(), event.payload_errors});
  }
  return told;
}

void Fill(Told told, const sequence::Placed& placed, const sequence::Outcome& outcome,
          AppendEventResponse& response) {
  response.set_event_id(std::move(told.event_id));
  response.set_position(placed.position);
  response.set_duplicate(placed.duplicate);
  if (outcome.aggregate_version) response.set_aggregate_version(*outcome.aggregate_version);
  for (std::string& error : told.payload_errors) {
    response.add_payload_errors(std::move(error));
  }
}

// Hands the unit to the writer; `fill` is called with each event's answer, then the call ends.
template <typename Fill>
void Submit(grpc::ServerUnaryReactor* reactor, LogWriter& writer, sequence::Unit unit, Fill fill) {
  Submission submission;
  submission.received_nanos = MonotonicNanos();
  for (const sequence::NewEvent& event : unit.events) {
    submission.bytes += event.envelope.payload.size();
  }
  std::vector<Told> told = Tell(unit);
  submission.unit = std::move(unit);
  submission.done = [reactor, told = std::move(told),
                     fill](absl::StatusOr<sequence::Outcome> outcome) mutable {
    if (outcome.ok()) {
      for (std::size_t i = 0; i < told.size(); ++i) fill(std::move(told[i]), i, *outcome);
    }
    reactor->Finish(rpc::ToGrpc(outcome.status()));
  };
  if (absl::Status status = writer.SubmitAppend(std::move(submission)); !status.ok()) {
    reactor->Finish(rpc::ToGrpc(status));
  }
}

}  // namespace

AppendService::AppendService(LogWriter& writer, const wire::PayloadRegistry& registry, Clock& clock,
                             IdSource& ids, pg::Config database)
    : writer_(writer),
      registry_(registry),
      clock_(clock),
      ids_(ids),
      keys_(std::move(database)),
      executor_(kKeyThreads, kMostKeysWaiting) {}

template <typename Request, typename Fill>
grpc::ServerUnaryReactor* AppendService::Append(grpc::CallbackServerContext* context,
                                                const Request* request, const std::string& caller,
                                                ReadUnit read, Fill fill) {
  const auto key = IdempotencyKeyOf(*context);
  if (!key.ok()) return Refuse(context, key.status());
  auto unit = read(ids_);
  if (!unit.ok()) return Refuse(context, unit.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (key->empty()) {
    Submit(reactor, writer_, *std::move(unit), fill);
    return reactor;
  }
  const bool accepted =
      executor_.TrySubmit([this, reactor, request, caller, key = *key, read, fill] {
        auto claimed = ReadClaimed(caller, key, request->SerializeAsString(), read);
        if (!claimed.ok()) return reactor->Finish(rpc::ToGrpc(claimed.status()));
        Submit(reactor, writer_, *std::move(claimed), fill);
      });
  if (!accepted) {
    reactor->Finish(rpc::ToGrpc(MakeError(absl::StatusCode::kResourceExhausted, "BUSY",
                                          "too many requests with keys wait; retry")));
  }
  return reactor;
}

absl::StatusOr<sequence::Unit> AppendService::ReadClaimed(const std::string& caller,
                                                          const std::string& key,
                                                          std::string_view request,
                                                          const ReadUnit& read) {
  const auto claim = keys_.Claim(caller, key, request);
  if (!claim.ok()) return claim.status();
  ClaimedIds ids(*claim);
  return read(ids);
}

grpc::ServerUnaryReactor* AppendService::AppendEvent(grpc::CallbackServerContext* context,
                                                     const AppendEventRequest* request,
                                                     AppendEventResponse* response) {
  const auto principal = rpc::PrincipalOf(*context);
  if (!principal.ok()) return Refuse(context, principal.status());
  const std::string caller = principal->subject;
  const auto read = [this, request, caller](IdSource& ids) -> absl::StatusOr<sequence::Unit> {
    const AppendTerms terms = TermsOf(*request);
    auto aggregate = ReadTerms(terms);
    if (!aggregate.ok()) return aggregate.status();
    if (!request->has_event()) return InvalidField("event", "expected an event, got none");
    auto event = ReadNewEvent(request->event(), "event", caller, terms, registry_, clock_, ids);
    if (!event.ok()) return event.status();
    sequence::Unit unit;
    unit.events.push_back(*std::move(event));
    unit.aggregate = *std::move(aggregate);
    return unit;
  };
  return Append(context, request, caller, read,
                [response](Told told, std::size_t i, const sequence::Outcome& outcome) {
                  Fill(std::move(told), outcome.placed[i], outcome, *response);
                });
}

grpc::ServerUnaryReactor* AppendService::AppendEvents(grpc::CallbackServerContext* context,
                                                      const AppendEventsRequest* request,
                                                      AppendEventsResponse* response) {
  const auto principal = rpc::PrincipalOf(*context);
  if (!principal.ok()) return Refuse(context, principal.status());
  const std::string caller = principal->subject;
  const auto read = [this, request, caller](IdSource& ids) -> absl::StatusOr<sequence::Unit> {
    const AppendTerms terms = TermsOf(*request);
    auto aggregate = ReadTerms(terms);
    if (!aggregate.ok()) return aggregate.status();
    if (request->events_size() < 1 || request->events_size() > kMostEvents) {
      return InvalidField(
          "events", StrCat("expected 1 to ", kMostEvents, " events, got ", request->events_size()));
    }
    sequence::Unit unit;
    for (int i = 0; i < request->events_size(); ++i) {
      auto event = ReadNewEvent(request->events(i), StrCat("events[", i, "]"), caller, terms,
                                registry_, clock_, ids);
      if (!event.ok()) return event.status();
      unit.events.push_back(*std::move(event));
    }
    unit.aggregate = *std::move(aggregate);
    return unit;
  };
  return Append(context, request, caller, read,
                [response](Told told, std::size_t i, const sequence::Outcome& outcome) {
                  Fill(std::move(told), outcome.placed[i], outcome, *response->add_results());
                });
}

}  // namespace god33::manager
