#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "amqp/publisher.h"
#include "god33/store/v1/dead_letters.pb.h"

namespace god33::manager {

// A body that goes instead of the untouched one.
struct EditedBody {
  std::string body;
  bool json = false;  // and says so in its content type
};

// The message as it is published again: to the exchange and routing key it came by, with the
// properties it came with, and with the headers x-god33-dead-letter-id and x-god33-sent-back. The
// second counts: it makes every sending another message, so that the next dead letter that may come of
// it is not taken for a redelivery of an earlier one (eventlog/dead_letter.h).
amqp::Publication PublicationOf(const store::v1::DeadLetter& letter,
                                const std::optional<EditedBody>& edited);

// Publishes dead letters on one connection, which it makes when it is first needed and again after a
// fault. One thread.
class DeadLetterSender {
 public:
  explicit DeadLetterSender(amqp::Config broker) : broker_(std::move(broker)) {}

  // Publishes all, in their order within an exchange, and waits for the confirms. One status for each:
  // OK, or FAILED_PRECONDITION (EXCHANGE_NOT_FOUND, UNROUTABLE, BROKER_REFUSED). As a whole
  // UNAVAILABLE (BROKER_UNAVAILABLE): some may have arrived.
  absl::StatusOr<std::vector<absl::Status>> Send(
      const std::vector<amqp::Publication>& publications);

  // To be called every few seconds between sendings.
  void Idle();

 private:
  absl::Status SendTo(const std::string& exchange,
                      const std::vector<amqp::Publication>& publications,
                      const std::vector<std::size_t>& indexes, std::vector<absl::Status>& outcomes);
  absl::StatusOr<std::vector<absl::Status>> Publish(
      const std::vector<amqp::Publication>& publications);

  const amqp::Config broker_;
  std::unique_ptr<amqp::Publisher> publisher_;
  absl::flat_hash_map<std::string, absl::Status> refused_;  // exchanges, and why
};

}  // namespace god33::manager
