#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "amqp/connection.h"
#include "amqp/delivery.h"
#include "base/wakeup.h"

namespace god33::amqp {

// Consumes one queue. One thread owns it; only its deliveries may travel.
class Consumer {
 public:
  // Starts consuming, with at most `prefetch` deliveries out at a time. `wakeup` ends a wait in
  // Receive; deliveries that are done signal it.
  static absl::StatusOr<std::unique_ptr<Consumer>> Start(std::unique_ptr<Connection> connection,
                                                         const std::string& queue,
                                                         std::uint16_t prefetch,
                                                         std::shared_ptr<Wakeup> wakeup);

  // Acks what is done, then waits for a delivery until the timeout or a wake-up, and takes all that
  // have arrived, at most `max` and about `max_bytes`. An error ends the consumer: its connection
  // is gone, or the broker has cancelled it.
  absl::Status Receive(std::vector<Delivery>& deliveries, std::size_t max, std::size_t max_bytes,
                       absl::Duration timeout);

  // Acks what is done without reading: the broker is held back.
  absl::Status Pause(absl::Duration timeout);

  // Tells the broker to send no more. Receive still gives what is on its way.
  absl::Status Cancel();

  std::size_t outstanding() const { return ledger_->count(); }
  std::size_t outstanding_bytes() const { return ledger_->bytes(); }

 private:
  Consumer(std::unique_ptr<Connection> connection, std::shared_ptr<Wakeup> wakeup)
      : connection_(std::move(connection)),
        wakeup_(std::move(wakeup)),
        ledger_(std::make_shared<AckLedger>(wakeup_)) {}

  absl::Status AckDone();
  absl::Status HandleMethod(const amqp_method_t& method, std::vector<Delivery>& deliveries);
  absl::StatusOr<Delivery> ReadDelivery(const amqp_basic_deliver_t& deliver);
  absl::Status ReadBody(std::uint64_t size, std::string& body);
  absl::StatusOr<amqp_frame_t> ExpectFrame(std::uint8_t type);

  std::unique_ptr<Connection> connection_;
  std::shared_ptr<Wakeup> wakeup_;
  std::shared_ptr<AckLedger> ledger_;
  std::string tag_;
};

}  // namespace god33::amqp
