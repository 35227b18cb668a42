#include "services/event-store-manager/replayer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "amqp/topology.h"
#include "base/error.h"
#include "base/strings.h"
#include "event/write.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

constexpr int kStepsPerSecond = 5;
constexpr int kMostPerStep = 500;
constexpr absl::Duration kConfirmTimeout = absl::Seconds(10);
constexpr absl::Duration kLookEvery = absl::Seconds(1);
constexpr absl::Duration kAgainAfter = absl::Seconds(2);

amqp::Publication PublicationOf(const ReplayEvent& replayed, const ReplayJob& job) {
  const event::Envelope& envelope = replayed.event.envelope;
  return {.exchange = job.order.exchange,
          .routing_key = replayed.routing_key,
          .body = event::WriteJson(envelope),
          .message_id = envelope.id.ToString(),
          .headers = {{"x-replay-id", job.id.ToString()},
                      {"x-god33-position", StrCat(replayed.event.position)}}};
}

}  // namespace

Replayer::Replayer(pg::Config database, amqp::Config broker, Metrics& metrics)
    : database_(std::move(database)),
      broker_(std::move(broker)),
      metrics_(metrics),
      thread_([this] { Run(); }) {}

Replayer::~Replayer() {
  stop_.Request();
  thread_.join();
}

void Replayer::Run() {
  std::unique_ptr<pg::Connection> connection;
  while (!stop_.requested()) {
    absl::StatusOr<absl::Duration> pause = kAgainAfter;
    if (!connection || connection->broken()) {
      auto opened = pg::Connection::Open(database_);
      if (opened.ok()) connection = *std::move(opened);
    }
    if (connection) pause = Step(*connection);
    if (!pause.ok()) {
      Log(LogLevel::kWarning, "a replay waits", {{"error", MessageOf(pause.status())}});
      connection.reset();
      pause = kAgainAfter;
    }
    stop_.WaitFor(*pause);
  }
}

absl::StatusOr<absl::Duration> Replayer::Step(pg::Connection& connection) {
  ReplayStore store(connection);
  auto transaction = pg::Transaction::Begin(connection);
  if (!transaction.ok()) return transaction.status();
  auto job = store.TakeDue();
  if (!job.ok()) return job.status();
  if (!*job) {
    const auto next = store.NextDue();
    if (!next.ok()) return next.status();
    // A connection that nothing is to be sent on has to be kept alive.
    if (publisher_ && !publisher_->Idle().ok()) publisher_.reset();
    return std::clamp(next->value_or(kLookEvery), absl::Milliseconds(1), kLookEvery);
  }
  const auto pause = Publish(store, **job);
  if (!pause.ok()) return pause.status();
  if (absl::Status status = store.Save(**job, *pause); !status.ok()) return status;
  if (absl::Status status = std::move(*transaction).Commit(); !status.ok()) return status;
  if ((*job)->state != "running") {
    Log(LogLevel::kInfo, "replay ended",
        {{"replay_id", (*job)->id.ToString()},
         {"state", (*job)->state},
         {"published", (*job)->published},
         {"error", (*job)->error}});
  }
  return absl::ZeroDuration();
}

// Publishes the job's next part and moves it on. Returns after how long the rate allows the part behind it.
absl::StatusOr<absl::Duration> Replayer::Publish(ReplayStore& store, ReplayJob& job) {
  const int most = std::clamp(job.order.rate / kStepsPerSecond, 1, kMostPerStep);
  const auto page = store.Page(job.order, job.position, most);
  if (absl::IsOutOfRange(page.status())) {
    job.state = "failed";
    job.error = std::string(MessageOf(page.status()));
    return absl::ZeroDuration();
  }
  if (!page.ok()) return page.status();
  if (!page->events.empty()) {
    std::vector<amqp::Publication> publications;
    for (const ReplayEvent& event : page->events) publications.push_back(PublicationOf(event, job));
    const auto unroutable = Send(job.order.exchange, publications);
    if (!unroutable.ok()) {
      if (ReasonOf(unroutable.status()) != amqp::Publisher::kBlocked) {
        publisher_.reset();
        declared_.clear();
      }
      // The broker is away, or refuses for now: the same part is tried again.
      job.error = std::string(MessageOf(unroutable.status()));
      if (!absl::IsUnavailable(unroutable.status())) job.state = "failed";
      return kAgainAfter;
    }
    job.unroutable += *unroutable;
    job.published += static_cast<std::int64_t>(publications.size());
    metrics_.replayed.Increment(static_cast<double>(publications.size()));
  }
  job.error.clear();
  job.position = page->position;
  if (page->last) job.state = "completed";
  return absl::Seconds(1) * static_cast<double>(page->events.size()) / job.order.rate;
}

absl::StatusOr<std::int64_t> Replayer::Send(const std::string& exchange,
                                            const std::vector<amqp::Publication>& publications) {
  if (absl::Status status = EnsurePublisher(exchange); !status.ok()) return status;
  const auto outcomes = publisher_->Publish(publications, kConfirmTimeout);
  if (!outcomes.ok()) return outcomes.status();
  std::int64_t unroutable = 0;
  for (const absl::Status& outcome : *outcomes) {
    if (absl::IsNotFound(outcome)) {
      ++unroutable;
    } else if (!outcome.ok()) {
      return outcome;
    }
  }
  return unroutable;
}

absl::Status Replayer::EnsurePublisher(const std::string& exchange) {
  if (publisher_ && declared_.contains(exchange)) return absl::OkStatus();
  auto connection = amqp::Connection::Open(broker_);
  if (!connection.ok()) return connection.status();
  if (absl::Status status = amqp::DeclareExchange(**connection, exchange); !status.ok()) {
    return status;
  }
  auto started = amqp::Publisher::Start(*std::move(connection));
  if (!started.ok()) return started.status();
  publisher_ = *std::move(started);
  declared_.insert(exchange);
  return absl::OkStatus();
}

}  // namespace god33::manager
