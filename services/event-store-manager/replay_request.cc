#include "services/event-store-manager/replay_request.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "eventlog/horizon.h"
#include "wire/timestamp.h"

namespace god33::manager {
namespace {

constexpr int kMostTypes = 50;
constexpr int kMostRate = 10'000;
constexpr std::size_t kMostExchangeBytes = 127;

absl::Status ReadId(const char* field, const std::string& text, std::optional<Uuid>& id) {
  id = Uuid::Parse(text);
  if (id) return absl::OkStatus();
  return InvalidField(field, StrCat("expected a UUID, got \"", Clip(text, 80), "\""));
}

absl::Status ReadTime(const char* field, const google::protobuf::Timestamp& proto,
                      std::optional<absl::Time>& read) {
  const auto time = wire::ReadTimeBound(field, proto);
  if (time.ok()) read = *time;
  return time.status();
}

absl::Status ReadTypes(const store::v1::StartReplayRequest& request, ReplayOrder& order) {
  if (request.event_types_size() > kMostTypes) {
    return InvalidField("event_types", StrCat("expected at most ", kMostTypes, " of them"));
  }
  for (const std::string& text : request.event_types()) {
    auto pattern = event::TypePattern::Parse(text);
    if (!pattern.ok()) return InvalidField("event_types", MessageOf(pattern.status()));
    order.types.push_back(*std::move(pattern));
  }
  return absl::OkStatus();
}

absl::Status ReadRange(const store::v1::StartReplayRequest& request, const LogRange& log,
                       ReplayOrder& order) {
  const std::int64_t head = log.head;
  order.from = log.horizon;
  order.to = head;
  if (request.has_from_position()) {
    order.from = request.from_position();
    if (order.from < 1) return InvalidField("from_position", "expected 1 or more");
    if (order.from < log.horizon) {
      return eventlog::BelowHorizon(StrCat("the event at position ", order.from), log.horizon,
                                    "from_position");
    }
  }
  if (request.has_to_position()) {
    order.to = request.to_position();
    if (order.to >= 1 && order.to < log.horizon) {
      return eventlog::BelowHorizon(StrCat("the event at position ", order.to), log.horizon,
                                    "to_position");
    }
    if (order.to < order.from || order.to > head) {
      return InvalidField("to_position", StrCat("expected from_position to ", head,
                                                ", the log's newest, got ", order.to));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadTarget(const store::v1::StartReplayRequest& request,
                        const std::string& live_exchange, ReplayOrder& order) {
  order.exchange = request.has_exchange() ? request.exchange() : kReplayExchange;
  const bool printable = std::all_of(order.exchange.begin(), order.exchange.end(),
                                     [](char c) { return c > ' ' && c <= '~'; });
  if (order.exchange.empty() || order.exchange.size() > kMostExchangeBytes || !printable) {
    return InvalidField("exchange", StrCat("expected a name of 1 to ", kMostExchangeBytes,
                                           " visible ASCII characters"));
  }
  if ((order.exchange == live_exchange) != request.live()) {
    return InvalidField("live",
                        StrCat("expected true together with the exchange ", live_exchange,
                               ", where every consumer sees the events again, and only then"));
  }
  if (request.has_rate()) {
    order.rate = request.rate();
    if (order.rate < 1 || order.rate > kMostRate) {
      return InvalidField("rate", StrCat("expected 1 to ", kMostRate, ", got ", order.rate));
    }
  }
  return absl::OkStatus();
}

bool Narrows(const store::v1::StartReplayRequest& request) {
  return request.has_workflow_id() || request.has_correlation_id() ||
         request.event_types_size() > 0 || request.has_start_time() || request.has_end_time() ||
         request.has_from_position() || request.has_to_position();
}

}  // namespace

absl::StatusOr<ReplayOrder> ReadOrder(const store::v1::StartReplayRequest& request,
                                      const LogRange& log, const std::string& live_exchange) {
  if (!Narrows(request)) {
    return InvalidArgument(
        "expected at least one of workflow_id, correlation_id, event_types, start_time, end_time, "
        "from_position and to_position; from_position 1 is the whole log");
  }
  ReplayOrder order;
  absl::Status status;
  if (request.has_workflow_id()) {
    status = ReadId("workflow_id", request.workflow_id(), order.workflow);
  }
  if (status.ok() && request.has_correlation_id()) {
    status = ReadId("correlation_id", request.correlation_id(), order.correlation);
  }
  if (status.ok()) status = ReadTypes(request, order);
  if (status.ok() && request.has_start_time()) {
    status = ReadTime("start_time", request.start_time(), order.start);
  }
  if (status.ok() && request.has_end_time()) {
    status = ReadTime("end_time", request.end_time(), order.end);
  }
  if (status.ok()) status = ReadRange(request, log, order);
  if (status.ok()) status = ReadTarget(request, live_exchange, order);
  if (!status.ok()) return status;
  return order;
}

void ToProto(const ReplayJob& job, store::v1::Replay& replay) {
  const ReplayOrder& order = job.order;
  replay.set_state(job.state);
  if (order.workflow) replay.set_workflow_id(order.workflow->ToString());
  if (order.correlation) replay.set_correlation_id(order.correlation->ToString());
  for (const event::TypePattern& type : order.types) replay.add_event_types(type.text());
  if (order.start) *replay.mutable_start_time() = wire::ToProto(*order.start);
  if (order.end) *replay.mutable_end_time() = wire::ToProto(*order.end);
  replay.set_from_position(order.from);
  replay.set_to_position(order.to);
  replay.set_exchange(order.exchange);
  replay.set_rate(order.rate);
  replay.set_total(job.total);
  replay.set_total_exact(job.total_exact);
  replay.set_published(job.published);
  replay.set_unroutable(job.unroutable);
  replay.set_position(job.position);
  replay.set_error(job.error);
  // A dry run is nothing that exists.
  if (job.created_at == absl::Time()) return;
  replay.set_replay_id(job.id.ToString());
  *replay.mutable_created_at() = wire::ToProto(job.created_at);
  *replay.mutable_updated_at() = wire::ToProto(job.updated_at);
}

}  // namespace god33::manager
