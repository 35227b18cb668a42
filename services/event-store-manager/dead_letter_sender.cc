#include "services/event-store-manager/dead_letter_sender.h"

#include <map>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "json/value.h"
#include "json/write.h"

namespace god33::manager {
namespace {

namespace v1 = store::v1;

constexpr absl::Duration kConfirmTimeout = absl::Seconds(10);
constexpr std::size_t kMostRoutingKey = 255;

// The properties, but with the content type of JSON text.
std::string AsJsonText(std::string_view properties) {
  std::string text;
  json::Writer writer(text);
  writer.BeginObject();
  for (const json::Member member : json::Value::Checked(properties).members()) {
    if (member.Is("content_type") || member.Is("content_encoding")) continue;
    writer.RawKey(member.raw_key);
    writer.Raw(member.value.text());
  }
  writer.Key("content_type");
  writer.String("application/json");
  writer.Key("content_encoding");
  writer.String("utf-8");
  writer.EndObject();
  return text;
}

// Errors that say something of one exchange or message; all others mean that the broker is away.
absl::Status ForCaller(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  const auto refused = [&status](std::string_view name) {
    return MakeError(absl::StatusCode::kFailedPrecondition, name, MessageOf(status));
  };
  if (reason == "UNROUTABLE") return refused("UNROUTABLE");
  if (reason == "AMQP_NOT_FOUND") return refused("EXCHANGE_NOT_FOUND");
  if (reason == "AMQP_ACCESS_REFUSED" || reason == "AMQP_PRECONDITION_FAILED") {
    return refused("BROKER_REFUSED");
  }
  return MakeError(absl::StatusCode::kUnavailable, "BROKER_UNAVAILABLE", MessageOf(status));
}

}  // namespace

amqp::Publication PublicationOf(const v1::DeadLetter& letter,
                                const std::optional<EditedBody>& edited) {
  const std::string& properties = letter.properties().text();
  return {.exchange = letter.exchange(),
          .routing_key = std::string(Clip(letter.routing_key(), kMostRoutingKey)),
          .body = edited ? edited->body : letter.body(),
          .headers = {{"x-god33-dead-letter-id", StrCat(letter.dead_letter_id())},
                      {"x-god33-sent-back", StrCat(letter.times_sent_back() + 1)}},
          .properties = edited && edited->json ? AsJsonText(properties) : properties};
}

absl::StatusOr<std::vector<absl::Status>> DeadLetterSender::Send(
    const std::vector<amqp::Publication>& publications) {
  // The broker closes the channel over an exchange that is not there, so each has its turn.
  std::map<std::string, std::vector<std::size_t>> by_exchange;
  for (std::size_t i = 0; i < publications.size(); ++i) {
    by_exchange[publications[i].exchange].push_back(i);
  }
  std::vector<absl::Status> outcomes(publications.size());
  for (const auto& [exchange, indexes] : by_exchange) {
    absl::Status status = SendTo(exchange, publications, indexes, outcomes);
    if (!status.ok()) return status;
  }
  return outcomes;
}

absl::Status DeadLetterSender::SendTo(const std::string& exchange,
                                      const std::vector<amqp::Publication>& publications,
                                      const std::vector<std::size_t>& indexes,
                                      std::vector<absl::Status>& outcomes) {
  if (const auto refused = refused_.find(exchange); refused != refused_.end()) {
    for (const std::size_t i : indexes) outcomes[i] = refused->second;
    return absl::OkStatus();
  }
  std::vector<amqp::Publication> part;
  for (const std::size_t i : indexes) part.push_back(publications[i]);
  const auto published = Publish(part);
  if (published.ok()) {
    for (std::size_t i = 0; i < indexes.size(); ++i) {
      const absl::Status& outcome = (*published)[i];
      outcomes[indexes[i]] = outcome.ok() ? outcome : ForCaller(outcome);
      if (absl::IsUnavailable(outcomes[indexes[i]])) return outcomes[indexes[i]];
    }
    return absl::OkStatus();
  }
  const absl::Status status = ForCaller(published.status());
  if (absl::IsUnavailable(status)) return status;
  if (ReasonOf(status) == "EXCHANGE_NOT_FOUND") refused_[exchange] = status;
  if (indexes.size() == 1 || refused_.contains(exchange)) {
    for (const std::size_t i : indexes) outcomes[i] = status;
    return absl::OkStatus();
  }
  // One of them is refused for what it is: alone, the others pass.
  for (const std::size_t i : indexes) {
    absl::Status alone = SendTo(exchange, publications, {i}, outcomes);
    if (!alone.ok()) return alone;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<absl::Status>> DeadLetterSender::Publish(
    const std::vector<amqp::Publication>& publications) {
  if (!publisher_) {
    auto connection = amqp::Connection::Open(broker_);
    if (!connection.ok()) return absl::UnavailableError(ToAbsl(MessageOf(connection.status())));
    auto started = amqp::Publisher::Start(*std::move(connection));
    if (!started.ok()) return absl::UnavailableError(ToAbsl(MessageOf(started.status())));
    publisher_ = *std::move(started);
  }
  auto outcomes = publisher_->Publish(publications, kConfirmTimeout);
  if (!outcomes.ok()) publisher_.reset();
  return outcomes;
}

void DeadLetterSender::Idle() {
  if (publisher_ && !publisher_->Idle().ok()) publisher_.reset();
}

}  // namespace god33::manager
