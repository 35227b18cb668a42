#include "services/event-store-manager/outbox.h"

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "base/strings.h"
#include "event/write.h"
#include "eventlog/dead_letter.h"
#include "eventlog/event_row.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

constexpr int kMostEvents = 500;
constexpr int kMostDeadLetters = 50;

// Of payloads as they are stored, compressed, so that one step's memory stays bounded.
constexpr std::int64_t kMostBytes = 1 << 20;
constexpr absl::Duration kConfirmTimeout = absl::Seconds(10);
constexpr absl::Duration kCopyAgainAfter = absl::Seconds(10);

constexpr pg::Statement kHead = {"relay_head", "SELECT coalesce(max(position), 0) FROM event_ids"};

constexpr pg::Statement kAppended = {"relay_events", R"sql(
  SELECT )sql" GOD33_EVENT_COLUMNS R"sql(
  FROM (
    SELECT *, sum(pg_column_size(payload)) OVER (ORDER BY position) - pg_column_size(payload) AS before
    FROM (
      SELECT * FROM events
      WHERE appended AND position > $1::bigint AND position <= $2::bigint
        AND recorded_at >= (SELECT max(month) FROM log_months WHERE first_position <= $1::bigint + 1)
      ORDER BY position LIMIT $3::integer) AS page) AS e
  WHERE before < $4::bigint ORDER BY position)sql"};

bool IsBlocked(const absl::Status& status) {
  return ReasonOf(status) == amqp::Publisher::kBlocked;
}

// A routing key is at most 255 bytes; U+FFFD in place of bad bytes may have made it longer.
std::string Cut(std::string text) {
  text.resize(std::min<std::size_t>(text.size(), 255));
  return text;
}

}  // namespace

absl::StatusOr<bool> Outbox::Step(pg::Connection& connection, eventlog::CursorLease& lease) {
  const auto more_events = RelayEvents(connection, lease);
  const bool blocked = IsBlocked(more_events.status());
  Tell(blocked ? more_events.status() : absl::OkStatus());
  if (!more_events.ok() && !blocked) return more_events;
  const auto more_letters = CopyDeadLetters(connection);
  if (!more_letters.ok()) return more_letters;
  for (auto* publisher : {&events_, &dead_letters_}) {
    if (*publisher && !(*publisher)->Idle().ok()) publisher->reset();
  }
  return (more_events.ok() && *more_events) || *more_letters;
}

void Outbox::LeaseEnded() {
  Tell(absl::OkStatus());
}

void Outbox::Tell(const absl::Status& blocked) {
  metrics_.broker_blocked.Set(blocked.ok() ? 0 : 1);
  health_.Set("outbox", blocked.ok(),
              StrCat(MessageOf(blocked), "; appended events wait in the log"));
}

absl::StatusOr<bool> Outbox::RelayEvents(pg::Connection& connection, eventlog::CursorLease& lease) {
  const auto head = connection.Query(kHead);
  if (!head.ok()) return head.status();
  const std::int64_t end = head->Int8(0, 0);
  if (end == lease.position) return false;
  const auto rows = connection.Query(
      kAppended, pg::Params().Int8(lease.position).Int8(end).Int4(kMostEvents).Int8(kMostBytes));
  if (!rows.ok()) return rows.status();
  std::vector<amqp::Publication> publications;
  std::int64_t position = lease.position;
  for (int i = 0; i < rows->rows(); ++i) {
    const eventlog::StoredEvent event = eventlog::ReadEvent(*rows, i);
    publications.push_back({.exchange = topology_.exchange,
                            .routing_key = event.envelope.type,
                            .body = event::WriteJson(event.envelope),
                            .message_id = event.envelope.id.ToString(),
                            .headers = {{"x-god33-position", StrCat(event.position)}}});
    position = event.position;
  }
  if (publications.empty()) {
    // The cursor is written when the lease is renewed.
    lease.position = end;
    metrics_.relay_position.Set(static_cast<double>(end));
    return false;
  }
  // As if it went on whatever became of them.
  if (failpoint::Reached("relay_without_confirm")) publications.clear();
  absl::Status published = Publish(
      events_,
      [this](amqp::Connection& broker) {
        return amqp::DeclareExchange(broker, topology_.exchange);
      },
      publications);
  if (!published.ok()) return published;
  lease.position = position;
  metrics_.relay_position.Set(static_cast<double>(position));
  metrics_.relayed.Increment(static_cast<double>(publications.size()));
  absl::Status status =
      eventlog::MoveCursor(connection, lease, lease.position, 0, Follower::kLease);
  if (!status.ok()) return status;
  return position < end;
}

absl::StatusOr<bool> Outbox::CopyDeadLetters(pg::Connection& connection) {
  if (MonotonicNanos() < copy_again_nanos_) return false;
  const auto uncopied = eventlog::FindUncopied(connection, kMostDeadLetters);
  if (!uncopied.ok()) return uncopied.status();
  if (uncopied->empty()) return false;
  std::vector<amqp::Publication> publications;
  std::vector<std::int64_t> ids;
  for (const eventlog::Uncopied& entry : *uncopied) {
    const eventlog::DeadLetter& letter = entry.letter;
    publications.push_back({.exchange = "",
                            .routing_key = topology_.dead_letter_queue.name,
                            .body = letter.origin.body,
                            .content_type = "application/octet-stream",
                            .message_id = StrCat("dead-letter/", entry.id),
                            .headers = {{"x-god33-reason", letter.reason},
                                        {"x-god33-detail", letter.detail},
                                        {"x-god33-routing-key", Cut(letter.origin.routing_key)},
                                        {"x-god33-attempts", StrCat(letter.attempts)},
                                        {"x-god33-dead-letter-id", StrCat(entry.id)}}});
    ids.push_back(entry.id);
  }
  const absl::Status copied = Publish(
      dead_letters_,
      [this](amqp::Connection& broker) {
        return amqp::DeclareQueue(broker, topology_.dead_letter_queue);
      },
      publications);
  if (!copied.ok()) {
    copy_again_nanos_ = MonotonicNanos() + absl::ToInt64Nanoseconds(kCopyAgainAfter);
    Log(LogLevel::kWarning, "dead letters could not be copied; trying again",
        {{"error", MessageOf(copied)}});
    return false;
  }
  if (absl::Status status = eventlog::MarkCopied(connection, ids); !status.ok()) return status;
  return true;
}

absl::Status Outbox::Publish(std::unique_ptr<amqp::Publisher>& publisher, const Declare& declare,
                             const std::vector<amqp::Publication>& publications) {
  if (!publisher) {
    auto connection = amqp::Connection::Open(broker_);
    if (!connection.ok()) return connection.status();
    if (absl::Status status = declare(**connection); !status.ok()) return status;
    auto started = amqp::Publisher::Start(*std::move(connection));
    if (!started.ok()) return started.status();
    publisher = *std::move(started);
  }
  const auto outcomes = publisher->Publish(publications, kConfirmTimeout);
  absl::Status status = outcomes.status();
  if (status.ok()) {
    const auto failed = std::find_if(outcomes->begin(), outcomes->end(),
                                     [](const absl::Status& outcome) { return !outcome.ok(); });
    if (failed != outcomes->end()) status = *failed;
  }
  // In an alarm the connection is good, and another one would not fare better.
  if (!status.ok() && !IsBlocked(status)) publisher.reset();
  return status;
}

}  // namespace god33::manager
