#include "services/event-store-manager/dead_letter_service.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "json/text_of.h"
#include "json/value.h"
#include "rpc/blocking_call.h"
#include "services/event-store-manager/dead_letter_query.h"
#include "services/event-store-manager/dead_letter_sender.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

namespace v1 = store::v1;

constexpr std::size_t kMostQueued = 64;
constexpr std::size_t kMostBulkQueued = 8;

// Rows in one step: at most so many, and at most what a tenth of a second allows.
constexpr int kMostInStep = 500;

// How long a wait may last before the caller is looked after and the broker gets its heartbeat.
constexpr absl::Duration kMostWait = absl::Milliseconds(250);

absl::Status CheckId(std::int64_t id) {
  if (id > 0) return absl::OkStatus();
  return InvalidField("dead_letter_id", StrCat("expected 1 or more, got ", id));
}

std::optional<EditedBody> EditOf(const v1::SendBackDeadLetterRequest& request) {
  if (request.has_edited()) return EditedBody{.body = request.edited().text(), .json = true};
  if (request.has_edited_bytes()) return EditedBody{.body = request.edited_bytes()};
  return std::nullopt;
}

// The same error, and what had been done before it.
absl::Status After(const absl::Status& status, std::int64_t done, std::string_view what) {
  return Prefixed(status, StrCat("after ", done, " were ", what, ": "));
}

// As a consumer would be told of the publication's properties.
wire::Message MessageOfPublication(const amqp::Publication& publication,
                                   const std::string& content_type, const std::string& message_id) {
  wire::Message message{
      .body = publication.body, .content_type = content_type, .message_id = message_id};
  const auto time = json::Value::Checked(publication.properties).Find("timestamp");
  const auto seconds = time ? time->ToInt64() : std::nullopt;
  if (seconds && *seconds >= 0 && InTimestampRange(absl::FromUnixSeconds(*seconds))) {
    message.timestamp = absl::FromUnixSeconds(*seconds);
  }
  return message;
}

// Keeps to a rate: after each step, says how long to wait before the next.
class Pace {
 public:
  explicit Pace(int rate) : rate_(rate), due_(MonotonicNanos()) {}

  int step() const { return std::clamp(rate_ / 10, 1, kMostInStep); }

  void Spend(std::int64_t count) {
    due_ = std::max(due_, MonotonicNanos() - kSecond / 10) + count * kSecond / rate_;
  }

  absl::Duration Wait() const { return absl::Nanoseconds(due_ - MonotonicNanos()); }

 private:
  static constexpr std::int64_t kSecond = 1'000'000'000;
  const int rate_;
  std::int64_t due_;
};

}  // namespace

DeadLetterService::DeadLetterService(DeadLetterStore& letters, amqp::Config broker,
                                     const Sorter& sorter, Metrics& metrics)
    : letters_(letters),
      broker_(std::move(broker)),
      sorter_(sorter),
      metrics_(metrics),
      single_(kSingleThreads, kMostQueued),
      bulk_(kBulkThreads, kMostBulkQueued) {}

DeadLetterService::Goes DeadLetterService::GoesOf(grpc::CallbackServerContext* context) const {
  return [this, context]() -> absl::Status {
    if (context->IsCancelled()) return absl::CancelledError("the caller has gone");
    if (stop_.requested()) {
      return MakeError(absl::StatusCode::kUnavailable, "STOPPING", "the service stops");
    }
    return absl::OkStatus();
  };
}

grpc::ServerUnaryReactor* DeadLetterService::ListDeadLetters(
    grpc::CallbackServerContext* context, const v1::ListDeadLettersRequest* request,
    v1::ListDeadLettersResponse* response) {
  return rpc::RunBlocking(context, single_,
                          [this, request, response](const auth::Principal&) -> absl::Status {
                            const auto query = ReadQuery(*request);
                            if (!query.ok()) return query.status();
                            return letters_.List(*query, *response);
                          });
}

grpc::ServerUnaryReactor* DeadLetterService::GetDeadLetter(grpc::CallbackServerContext* context,
                                                           const v1::GetDeadLetterRequest* request,
                                                           v1::GetDeadLetterResponse* response) {
  return rpc::RunBlocking(
      context, single_, [this, request, response](const auth::Principal&) -> absl::Status {
        if (absl::Status status = CheckId(request->dead_letter_id()); !status.ok()) return status;
        auto letter = letters_.Get(request->dead_letter_id(), DeadLetterStore::kMostBody);
        if (!letter.ok()) return letter.status();
        if (const auto value = json::Value::Parse(letter->body()); value.ok()) {
          letter->mutable_decoded()->set_text(std::string(value->text()));
        }
        *response->mutable_dead_letter() = *std::move(letter);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* DeadLetterService::SendBackDeadLetter(
    grpc::CallbackServerContext* context, const v1::SendBackDeadLetterRequest* request,
    v1::SendBackDeadLetterResponse* response) {
  return rpc::RunBlocking(
      context, single_, [this, request, response](const auth::Principal&) -> absl::Status {
        if (absl::Status status = CheckId(request->dead_letter_id()); !status.ok()) return status;
        if (absl::Status status = CheckEdit(*request); !status.ok()) return status;
        return request->dry_run() ? DryRun(*request, *response) : SendBack(*request, *response);
      });
}

grpc::ServerUnaryReactor* DeadLetterService::SendBackDeadLetters(
    grpc::CallbackServerContext* context, const v1::SendBackDeadLettersRequest* request,
    v1::SendBackDeadLettersResponse* response) {
  return rpc::RunBlocking(context, bulk_,
                          [this, context, request, response](const auth::Principal&) {
                            return SendBackAll(*request, GoesOf(context), *response);
                          });
}

grpc::ServerUnaryReactor* DeadLetterService::DropDeadLetter(
    grpc::CallbackServerContext* context, const v1::DropDeadLetterRequest* request,
    v1::DropDeadLetterResponse* response) {
  return rpc::RunBlocking(
      context, single_, [this, request, response](const auth::Principal&) -> absl::Status {
        if (absl::Status status = CheckId(request->dead_letter_id()); !status.ok()) return status;
        bool changed = false;
        auto letter = letters_.Drop(request->dead_letter_id(), changed);
        if (!letter.ok()) return letter.status();
        if (changed) metrics_.letters_dropped.Increment();
        *response->mutable_dead_letter() = *std::move(letter);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* DeadLetterService::DropDeadLetters(
    grpc::CallbackServerContext* context, const v1::DropDeadLettersRequest* request,
    v1::DropDeadLettersResponse* response) {
  return rpc::RunBlocking(context, bulk_,
                          [this, context, request, response](const auth::Principal&) {
                            return DropAll(*request, GoesOf(context), *response);
                          });
}

absl::Status DeadLetterService::SendBack(const v1::SendBackDeadLetterRequest& request,
                                         v1::SendBackDeadLetterResponse& response) {
  const std::optional<EditedBody> edited = EditOf(request);
  auto letter = letters_.SendBack(
      request.dead_letter_id(), request.again(), [&](const v1::DeadLetter& stored) -> absl::Status {
        DeadLetterSender sender(broker_);
        const auto outcomes = sender.Send({PublicationOf(stored, edited)});
        return outcomes.ok() ? outcomes->front() : outcomes.status();
      });
  if (!letter.ok()) return letter.status();
  metrics_.letters_sent_back.Increment();
  Log(LogLevel::kInfo, "a dead letter was sent back",
      {{"dead_letter_id", letter->dead_letter_id()}, {"edited", edited ? "yes" : "no"}});
  *response.mutable_dead_letter() = *std::move(letter);
  return absl::OkStatus();
}

absl::Status DeadLetterService::DryRun(const v1::SendBackDeadLetterRequest& request,
                                       v1::SendBackDeadLetterResponse& response) {
  auto letter = letters_.Get(request.dead_letter_id(), std::numeric_limits<std::int64_t>::max());
  if (!letter.ok()) return letter.status();
  const absl::Status verdict =
      VerdictOn(PublicationOf(*letter, EditOf(request)), /*with_log=*/true);
  if (absl::IsUnavailable(verdict)) return verdict;
  if (!verdict.ok()) response.set_verdict(StrCat(ReasonOf(verdict), ": ", MessageOf(verdict)));
  letter->clear_body();
  *response.mutable_dead_letter() = *std::move(letter);
  return absl::OkStatus();
}

absl::Status DeadLetterService::VerdictOn(const amqp::Publication& publication, bool with_log) {
  const json::Value properties = json::Value::Checked(publication.properties);
  const std::string content_type = TextOf(properties, "content_type");
  const std::string message_id = TextOf(properties, "message_id");
  auto event = sorter_.Read(MessageOfPublication(publication, content_type, message_id),
                            publication.routing_key);
  if (!event.ok() || !with_log) return event.status();
  sequence::Unit unit;
  unit.events.push_back(*std::move(event));
  const absl::Status status = letters_.CheckAgainstLog(unit);
  if (ReasonOf(status) != "ID_CONFLICT") return status;
  return MakeError(status.code(), "id_conflict", MessageOf(status));
}

absl::Status DeadLetterService::SendBackAll(const v1::SendBackDeadLettersRequest& request,
                                            const Goes& goes,
                                            v1::SendBackDeadLettersResponse& response) {
  const auto bulk = ReadBulk(request);
  if (!bulk.ok()) return bulk.status();
  if (request.dry_run()) return LookAtAll(*bulk, goes, response);
  auto walk = letters_.StartWalk(bulk->filter);
  if (!walk.ok()) return walk.status();
  DeadLetterSender sender(broker_);
  Pace pace(bulk->rate);
  std::int64_t unroutable = 0;
  const auto send_all = [&](const std::vector<v1::DeadLetter>& letters) {
    std::vector<amqp::Publication> publications;
    for (const v1::DeadLetter& letter : letters) {
      publications.push_back(PublicationOf(letter, std::nullopt));
    }
    auto outcomes = sender.Send(publications);
    if (outcomes.ok()) {
      unroutable += std::count_if(outcomes->begin(), outcomes->end(),
                                  [](const absl::Status& outcome) { return !outcome.ok(); });
    }
    return outcomes;
  };
  absl::Status status;
  while (!walk->end() && response.matched() < bulk->limit) {
    while (pace.Wait() > absl::ZeroDuration()) {
      stop_.WaitFor(std::min(pace.Wait(), kMostWait));
      if (status = goes(); !status.ok()) break;
      sender.Idle();
    }
    if (status.ok()) status = goes();
    if (!status.ok()) break;
    const auto left = static_cast<int>(bulk->limit - response.matched());
    const auto step = letters_.SendBackNext(*walk, std::min(left, pace.step()), send_all);
    if (!step.ok()) {
      status = step.status();
      break;
    }
    pace.Spend(step->matched);  // also those that the broker gave back
    response.set_matched(response.matched() + step->matched);
    response.set_sent_back(response.sent_back() + step->done);
    response.set_unroutable(unroutable);
    metrics_.letters_sent_back.Increment(static_cast<double>(step->done));
  }
  Log(LogLevel::kInfo, "dead letters were sent back",
      {{"sent_back", response.sent_back()},
       {"unroutable", response.unroutable()},
       {"error", status.ok() ? "" : MessageOf(status)}});
  return status.ok() ? status : After(status, response.sent_back(), "sent back");
}

absl::Status DeadLetterService::LookAtAll(const DeadLetterBulk& bulk, const Goes& goes,
                                          v1::SendBackDeadLettersResponse& response) {
  auto walk = letters_.StartWalk(bulk.filter);
  if (!walk.ok()) return walk.status();
  while (!walk->end() && response.matched() < bulk.limit) {
    if (absl::Status status = goes(); !status.ok()) return status;
    const auto left = static_cast<int>(bulk.limit - response.matched());
    std::int64_t readable = 0;
    const auto step =
        letters_.LookAtNext(*walk, std::min(left, kMostInStep), [&](const v1::DeadLetter& letter) {
          readable += VerdictOn(PublicationOf(letter, std::nullopt), /*with_log=*/false).ok();
        });
    if (!step.ok()) return step.status();
    response.set_matched(response.matched() + step->matched);
    response.set_readable(response.readable() + readable);
  }
  return absl::OkStatus();
}

absl::Status DeadLetterService::DropAll(const v1::DropDeadLettersRequest& request, const Goes& goes,
                                        v1::DropDeadLettersResponse& response) {
  const auto bulk = ReadBulk(request);
  if (!bulk.ok()) return bulk.status();
  auto walk = letters_.StartWalk(bulk->filter);
  if (!walk.ok()) return walk.status();
  while (!walk->end() && response.matched() < bulk->limit) {
    absl::Status status = goes();
    if (!status.ok()) return After(status, response.dropped(), "dropped");
    const auto left = static_cast<int>(bulk->limit - response.matched());
    const auto step = letters_.DropNext(*walk, std::min(left, kMostInStep), request.dry_run());
    if (!step.ok()) return After(step.status(), response.dropped(), "dropped");
    response.set_matched(response.matched() + step->matched);
    response.set_dropped(response.dropped() + step->done);
    metrics_.letters_dropped.Increment(static_cast<double>(step->done));
  }
  return absl::OkStatus();
}

}  // namespace god33::manager
