#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "amqp/connection.h"
#include "amqp/publisher.h"

namespace god33::cli {

// How to reach the broker: RABBITMQ_URL (with its secret, so never from argv) and
// GOD33_RABBITMQ_CA_FILE. InvalidArgument (RABBITMQ_URL) when it is not set or can't be read.
absl::StatusOr<amqp::Config> BrokerFromEnvironment();

// host:port, without user and password.
std::string AddressOf(const amqp::Config& config);

// Publishes one message and waits until it is in every queue that wants it. Within `timeout`,
// whatever the broker does. Errors have hints: UNAVAILABLE (it can't be reached; with the reason
// NOT_CONFIRMED the message may have arrived, with BROKER_BLOCKED it may yet arrive: the broker is in alarm
// and takes no messages), PERMISSION_DENIED, and FAILED_PRECONDITION:
// UNROUTABLE (no queue wants it, it is lost) or NO_EXCHANGE.
absl::Status PublishOnce(const amqp::Config& config, const amqp::Publication& publication,
                         absl::Duration timeout);

// Connects and logs in, nothing else. Errors as above.
absl::Status TryBroker(const amqp::Config& config, absl::Duration timeout);

}  // namespace god33::cli
