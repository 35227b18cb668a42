#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "amqp/connection.h"

namespace god33::amqp {

struct Publication {
  std::string exchange;
  std::string routing_key;  // at most 255 bytes
  std::string body;
  std::string content_type = "application/json";
  std::string message_id;  // tells unroutable messages of one Publish with one routing key apart
  std::vector<std::pair<std::string, std::string>> headers;

  // For a message that was delivered before: its properties as PropertiesToJson told them, which go
  // instead of content_type and message_id, under these headers (properties.h says how far).
  std::string properties;
};

// Publishes with confirms, persistent and mandatory. One thread owns it.
class Publisher {
 public:
  static absl::StatusOr<std::unique_ptr<Publisher>> Start(std::unique_ptr<Connection> connection);

  // Publishes all, in order, and waits until the broker has confirmed each. One status for each:
  // OK: in every queue that is bound; NOT_FOUND (UNROUTABLE): returned, no queue is bound for it;
  // UNAVAILABLE: the broker refused it. An error as a whole means that nothing is known of the messages
  // that were not confirmed: publish them again, with another publisher, since the connection is gone; but
  // with this one after UNAVAILABLE (BROKER_BLOCKED): the broker is in alarm and takes no messages for now,
  // which Publish finds out at once and without sending any more until it is over.
  absl::StatusOr<std::vector<absl::Status>> Publish(const std::vector<Publication>& publications,
                                                    absl::Duration timeout);

  // Keeps the connection alive while there is nothing to publish; to be called every few seconds.
  absl::Status Idle();

  static constexpr std::string_view kBlocked = "BROKER_BLOCKED";

 private:
  explicit Publisher(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

  // The messages of one Publish, and what is known of them.
  struct Flight {
    const std::vector<Publication>& publications;
    std::uint64_t first_tag;
    std::vector<std::string> message_ids;  // as they were sent
    std::vector<absl::Status> outcomes;
    std::vector<bool> settled;
    std::size_t unsettled;
  };

  absl::Status SendAll(Flight& flight, std::int64_t deadline_nanos);

  // Sends it; `message_id` is the one it went with.
  absl::Status Send(const Publication& publication, std::string& message_id);

  // A large body is left in rest_, for SendRest.
  absl::Status SendWith(const Publication& publication, const amqp_basic_properties_t& properties);
  absl::Status SendRest(Flight& flight, std::int64_t deadline_nanos);
  absl::Status UntilRoom(Flight& flight, std::int64_t deadline_nanos);
  absl::Status TakeArrived(Flight& flight);
  absl::Status BlockedStatus() const;
  absl::Status HandleMethod(const amqp_method_t& method, Flight& flight);
  absl::Status HandleReturn(const amqp_basic_return_t& returned, Flight& flight);

  std::unique_ptr<Connection> connection_;
  std::uint64_t next_tag_ = 1;
  std::string rest_;  // of the body of the last message that is still to be sent
};

}  // namespace god33::amqp
