#include "tools/god33/broker.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "tools/god33/at_most.h"
#include "tools/god33/environment.h"
#include "tools/god33/report.h"

namespace god33::cli {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);

struct Address {
  std::string host;
  int port;
};

std::optional<Address> ReadUrl(const std::string& url) {
  // Parsing writes into the text and keeps pointers to it.
  std::vector<char> text(url.c_str(), url.c_str() + url.size() + 1);
  amqp_connection_info info;
  amqp_default_connection_info(&info);
  if (amqp_parse_url(text.data(), &info) != AMQP_STATUS_OK) return std::nullopt;
  return Address{info.host, info.port};
}

absl::Status NotConfirmed(std::string_view message) {
  return MakeError(absl::StatusCode::kUnavailable, "NOT_CONFIRMED", message);
}

absl::Status PublishTo(const amqp::Config& config, const amqp::Publication& publication,
                       absl::Duration timeout) {
  const std::int64_t started = MonotonicNanos();
  auto connection = amqp::Connection::Open(config);
  if (!connection.ok()) return connection.status();
  auto publisher = amqp::Publisher::Start(*std::move(connection));
  if (!publisher.ok()) return publisher.status();
  const absl::Duration left = timeout - absl::Nanoseconds(MonotonicNanos() - started);
  const auto outcomes = (*publisher)->Publish({publication}, left);
  const absl::Status status = outcomes.ok() ? outcomes->front() : outcomes.status();
  if (ReasonOf(status) == amqp::Publisher::kBlocked) return status;
  return absl::IsUnavailable(status) ? NotConfirmed(MessageOf(status)) : status;
}

std::string TooSlow(const amqp::Config& config, absl::Duration timeout) {
  return StrCat("amqp: the broker at ", AddressOf(config), " did not answer within ",
                absl::FormatDuration(timeout));
}

absl::Status Explained(const absl::Status& status, const amqp::Config& config) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      if (ReasonOf(status) == amqp::Publisher::kBlocked) {
        return WithHint(status,
                        "the broker is in alarm: it lacks memory or disk (`rabbitmq-diagnostics "
                        "alarms`) and goes on by itself when it has them again");
      }
      return WithHint(status, StrCat("is RabbitMQ running at ", AddressOf(config),
                                     ", where RABBITMQ_URL points? `./dev up` starts one"));
    case absl::StatusCode::kPermissionDenied:
      return WithHint(status,
                      StrCat("the broker at ", AddressOf(config),
                             " refuses the user or password of RABBITMQ_URL, or what the user "
                             "asked for"));
    default:
      return status;
  }
}

// What the broker's answers mean to someone who wants an event stored.
absl::Status ExplainedPublish(const absl::Status& status, const amqp::Config& config,
                              const amqp::Publication& publication) {
  if (!absl::IsNotFound(status)) return Explained(status, config);
  if (ReasonOf(status) == "UNROUTABLE") {
    return WithHint(MakeError(absl::StatusCode::kFailedPrecondition, "UNROUTABLE",
                              StrCat("the event is lost: exchange ", publication.exchange,
                                     " has no queue bound for ", publication.routing_key)),
                    "start event-store-manager (`./dev up`), whose queue takes every event, or "
                    "check --exchange");
  }
  return WithHint(MakeError(absl::StatusCode::kFailedPrecondition, "NO_EXCHANGE",
                            StrCat("the broker has no exchange ", publication.exchange)),
                  "start event-store-manager (`./dev up`), which declares it, or check --exchange "
                  "and GOD33_EXCHANGE");
}

amqp::Config Limited(amqp::Config config, absl::Duration timeout) {
  config.connect_timeout = std::min(kConnectTimeout, timeout);
  return config;
}

}  // namespace

absl::StatusOr<amqp::Config> BrokerFromEnvironment() {
  amqp::Config config{.url = Variable("RABBITMQ_URL"),
                      .name = "god33",
                      .ca_file = Variable("GOD33_RABBITMQ_CA_FILE")};
  const auto refuse = [](std::string_view message) {
    return WithHint(
        MakeError(absl::StatusCode::kInvalidArgument, "RABBITMQ_URL", message),
        "export RABBITMQ_URL=amqp://user:password@host:5672/vhost, or after `./dev up`: "
        "`. .run/env`");
  };
  if (config.url.empty()) return refuse("RABBITMQ_URL is not set");
  if (!ReadUrl(config.url)) return refuse("RABBITMQ_URL is no AMQP URL");
  return config;
}

std::string AddressOf(const amqp::Config& config) {
  const auto address = ReadUrl(config.url);
  return address ? StrCat(address->host, ":", address->port) : "";
}

absl::Status PublishOnce(const amqp::Config& config, const amqp::Publication& publication,
                         absl::Duration timeout) {
  const auto status = RunAtMost(timeout, [config = Limited(config, timeout), publication, timeout] {
    return PublishTo(config, publication, timeout);
  });
  return ExplainedPublish(status.value_or(NotConfirmed(TooSlow(config, timeout))), config,
                          publication);
}

absl::Status TryBroker(const amqp::Config& config, absl::Duration timeout) {
  const auto status = RunAtMost(timeout, [config = Limited(config, timeout)] {
    return amqp::Connection::Open(config).status();
  });
  return Explained(status.value_or(absl::UnavailableError(TooSlow(config, timeout))), config);
}

}  // namespace god33::cli
