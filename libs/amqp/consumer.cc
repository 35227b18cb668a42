#include "amqp/consumer.h"

#include <utility>

#include "amqp/properties.h"
#include "base/strings.h"

namespace god33::amqp {
namespace {

// How long the rest of a message that has begun may take.
constexpr absl::Duration kFrameTimeout = absl::Seconds(30);

}  // namespace

absl::StatusOr<std::unique_ptr<Consumer>> Consumer::Start(std::unique_ptr<Connection> connection,
                                                          const std::string& queue,
                                                          std::uint16_t prefetch,
                                                          std::shared_ptr<Wakeup> wakeup) {
  std::unique_ptr<Consumer> consumer(new Consumer(std::move(connection), std::move(wakeup)));
  Connection& broker = *consumer->connection_;
  amqp_basic_qos(broker.state(), Connection::kChannel, 0, prefetch, /*global=*/0);
  if (absl::Status status = broker.LastReply("setting the prefetch"); !status.ok()) return status;
  const amqp_basic_consume_ok_t* started =
      amqp_basic_consume(broker.state(), Connection::kChannel, Bytes(queue), amqp_empty_bytes,
                         /*no_local=*/0, /*no_ack=*/0, /*exclusive=*/0, amqp_empty_table);
  if (absl::Status status = broker.LastReply(StrCat("consuming ", queue)); !status.ok())
    return status;
  consumer->tag_ = ToString(started->consumer_tag);
  return consumer;
}

absl::Status Consumer::AckDone() {
  const auto tag = ledger_->TakeDone();
  if (!tag) return absl::OkStatus();
  const int status =
      amqp_basic_ack(connection_->state(), Connection::kChannel, *tag, /*multiple=*/1);
  return status == AMQP_STATUS_OK ? absl::OkStatus() : LibraryError(status, "acking");
}

absl::Status Consumer::Receive(std::vector<Delivery>& deliveries, std::size_t max,
                               std::size_t max_bytes, absl::Duration timeout) {
  if (absl::Status status = AckDone(); !status.ok()) return status;
  const std::size_t before = deliveries.size();
  std::size_t bytes = 0;
  while (deliveries.size() - before < max && bytes < max_bytes) {
    amqp_frame_t frame;
    const std::size_t count = deliveries.size();
    const bool first = count == before;
    const auto got = connection_->NextFrame(frame, first ? timeout : absl::ZeroDuration(),
                                            first ? wakeup_.get() : nullptr);
    if (!got.ok()) return got.status();
    if (!*got) break;
    if (frame.frame_type != AMQP_FRAME_METHOD) continue;
    if (absl::Status status = HandleMethod(frame.payload.method, deliveries); !status.ok()) {
      return status;
    }
    if (deliveries.size() > count) bytes += deliveries.back().body.size();
    connection_->Release();
  }
  return AckDone();
}

absl::Status Consumer::Pause(absl::Duration timeout) {
  if (absl::Status status = connection_->Pause(timeout, *wakeup_); !status.ok()) return status;
  return AckDone();
}

absl::Status Consumer::Cancel() {
  amqp_basic_cancel_t cancel = {.consumer_tag = Bytes(tag_), .nowait = 1};
  const int status = amqp_send_method(connection_->state(), Connection::kChannel,
                                      AMQP_BASIC_CANCEL_METHOD, &cancel);
  return status == AMQP_STATUS_OK ? absl::OkStatus() : LibraryError(status, "cancelling");
}

absl::Status Consumer::HandleMethod(const amqp_method_t& method,
                                    std::vector<Delivery>& deliveries) {
  switch (method.id) {
    case AMQP_BASIC_DELIVER_METHOD: {
      auto delivery = ReadDelivery(*static_cast<const amqp_basic_deliver_t*>(method.decoded));
      if (!delivery.ok()) return delivery.status();
      deliveries.push_back(*std::move(delivery));
      return absl::OkStatus();
    }
    case AMQP_BASIC_CANCEL_METHOD:
      return absl::UnavailableError("amqp: the broker cancelled the consumer (queue deleted?)");
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
      return Connection::CloseStatus(method, "consuming");
    default:
      return absl::OkStatus();
  }
}

absl::StatusOr<Delivery> Consumer::ReadDelivery(const amqp_basic_deliver_t& deliver) {
  // Reading a body of several frames gives the memory that `deliver` lies in back to the library.
  const std::uint64_t tag = deliver.delivery_tag;
  Delivery delivery(ledger_, tag);
  delivery.exchange = ToString(deliver.exchange);
  delivery.routing_key = ToString(deliver.routing_key);
  delivery.redelivered = deliver.redelivered != 0;
  const auto header = ExpectFrame(AMQP_FRAME_HEADER);
  if (!header.ok()) return header.status();
  const auto& properties =
      *static_cast<const amqp_basic_properties_t*>(header->payload.properties.decoded);
  delivery.properties = PropertiesToJson(properties);
  if (properties._flags & AMQP_BASIC_CONTENT_TYPE_FLAG) {
    delivery.content_type = ToString(properties.content_type);
  }
  if (properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG) {
    delivery.message_id = ToString(properties.message_id);
  }
  // Seconds beyond the year 9999 are no time.
  constexpr std::uint64_t kMostSeconds = 253402300799;
  if ((properties._flags & AMQP_BASIC_TIMESTAMP_FLAG) && properties.timestamp <= kMostSeconds) {
    delivery.timestamp = absl::FromUnixSeconds(static_cast<std::int64_t>(properties.timestamp));
  }
  const std::uint64_t size = header->payload.properties.body_size;
  if (absl::Status status = ReadBody(size, delivery.body); !status.ok()) return status;
  ledger_->Add(tag, delivery.body.size());
  return delivery;
}

absl::Status Consumer::ReadBody(std::uint64_t size, std::string& body) {
  while (body.size() < size) {
    const auto frame = ExpectFrame(AMQP_FRAME_BODY);
    if (!frame.ok()) return frame.status();
    const amqp_bytes_t fragment = frame->payload.body_fragment;
    body.append(static_cast<const char*>(fragment.bytes), fragment.len);
    if (body.size() < size) connection_->Release();
  }
  return absl::OkStatus();
}

absl::StatusOr<amqp_frame_t> Consumer::ExpectFrame(std::uint8_t type) {
  amqp_frame_t frame;
  const auto got = connection_->NextFrame(frame, kFrameTimeout, nullptr);
  if (!got.ok()) return got.status();
  if (!*got) return absl::UnavailableError("amqp: the rest of a message did not come");
  if (frame.frame_type == AMQP_FRAME_METHOD) {
    return Connection::CloseStatus(frame.payload.method, "reading a message");
  }
  if (frame.frame_type != type) return absl::UnavailableError("amqp: unexpected frame");
  return frame;
}

}  // namespace god33::amqp
