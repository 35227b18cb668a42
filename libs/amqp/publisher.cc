#include "amqp/publisher.h"

#include <algorithm>
#include <utility>

#include "amqp/properties.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"

namespace god33::amqp {
namespace {

// What is sent at once, when there is room. A broker in alarm stops reading; when the sockets' buffers are
// full then, the library would wait for it without end.
constexpr std::size_t kMostAtOnce = 8 << 10;

}  // namespace

absl::StatusOr<std::unique_ptr<Publisher>> Publisher::Start(
    std::unique_ptr<Connection> connection) {
  amqp_confirm_select(connection->state(), Connection::kChannel);
  if (absl::Status status = connection->LastReply("asking for confirms"); !status.ok())
    return status;
  return std::unique_ptr<Publisher>(new Publisher(std::move(connection)));
}

absl::Status Publisher::Send(const Publication& publication, std::string& message_id) {
  if (!publication.properties.empty()) {
    const auto carried = CarriedProperties::FromJson(publication.properties, publication.headers);
    if (!carried.ok()) return carried.status();
    message_id = ToString(carried->properties().message_id);
    return SendWith(publication, carried->properties());
  }
  std::vector<amqp_table_entry_t> entries;
  for (const auto& [key, text] : publication.headers) {
    amqp_table_entry_t& entry = entries.emplace_back();
    entry.key = Bytes(key);
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = Bytes(text);
  }
  amqp_basic_properties_t properties = {};
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                      AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG;
  properties.content_type = Bytes(publication.content_type);
  properties.delivery_mode = 2;
  properties.headers = {.num_entries = static_cast<int>(entries.size()), .entries = entries.data()};
  properties.message_id = Bytes(publication.message_id);
  if (publication.content_type == "application/json") {
    properties._flags |= AMQP_BASIC_CONTENT_ENCODING_FLAG;
    properties.content_encoding = amqp_cstring_bytes("utf-8");
  }
  message_id = publication.message_id;
  return SendWith(publication, properties);
}

absl::Status Publisher::SendWith(const Publication& publication,
                                 const amqp_basic_properties_t& properties) {
  if (publication.body.size() <= kMostAtOnce) {
    const int status =
        amqp_basic_publish(connection_->state(), Connection::kChannel, Bytes(publication.exchange),
                           Bytes(publication.routing_key), /*mandatory=*/1, /*immediate=*/0,
                           &properties, Bytes(publication.body));
    return status == AMQP_STATUS_OK ? absl::OkStatus() : LibraryError(status, "publishing");
  }
  amqp_basic_publish_t method = {.exchange = Bytes(publication.exchange),
                                 .routing_key = Bytes(publication.routing_key),
                                 .mandatory = 1};
  int status = amqp_send_method(connection_->state(), Connection::kChannel,
                                AMQP_BASIC_PUBLISH_METHOD, &method);
  if (status == AMQP_STATUS_OK) {
    amqp_frame_t header = {.frame_type = AMQP_FRAME_HEADER, .channel = Connection::kChannel};
    header.payload.properties = {.class_id = AMQP_BASIC_CLASS,
                                 .body_size = publication.body.size(),
                                 .decoded = const_cast<amqp_basic_properties_t*>(&properties)};
    status = amqp_send_frame(connection_->state(), &header);
  }
  if (status != AMQP_STATUS_OK) return LibraryError(status, "publishing");
  rest_ = publication.body;
  return absl::OkStatus();
}

absl::Status Publisher::SendRest(Flight& flight, std::int64_t deadline_nanos) {
  std::size_t sent = 0;
  absl::Status status;
  while (status.ok() && sent < rest_.size()) {
    status = UntilRoom(flight, deadline_nanos);
    if (!status.ok()) break;
    const std::size_t size = std::min(kMostAtOnce, rest_.size() - sent);
    amqp_frame_t frame = {.frame_type = AMQP_FRAME_BODY, .channel = Connection::kChannel};
    frame.payload.body_fragment = {size, rest_.data() + sent};
    const int error = amqp_send_frame(connection_->state(), &frame);
    if (error != AMQP_STATUS_OK) return LibraryError(error, "publishing");
    sent += size;
  }
  rest_.erase(0, sent);
  return status;
}

// Takes what has come, and waits until a little can be sent without waiting.
absl::Status Publisher::UntilRoom(Flight& flight, std::int64_t deadline_nanos) {
  for (;;) {
    const std::int64_t left = deadline_nanos - MonotonicNanos();
    const auto ready = connection_->WaitReady(absl::Nanoseconds(left));
    if (!ready.ok()) return ready.status();
    if (ready->to_read) {
      absl::Status status = TakeArrived(flight);
      if (status.ok()) status = BlockedStatus();
      if (!status.ok()) return status;
    }
    if (ready->to_send) return absl::OkStatus();
    if (left <= 0) return absl::UnavailableError("amqp: the broker did not take a message in time");
  }
}

absl::StatusOr<std::vector<absl::Status>> Publisher::Publish(
    const std::vector<Publication>& publications, absl::Duration timeout) {
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(timeout);
  Flight flight{.publications = publications,
                .first_tag = next_tag_,
                .message_ids = std::vector<std::string>(publications.size()),
                .outcomes = std::vector<absl::Status>(publications.size()),
                .settled = std::vector<bool>(publications.size(), false),
                .unsettled = publications.size()};
  if (absl::Status status = SendAll(flight, deadline); !status.ok()) return status;
  while (flight.unsettled > 0) {
    amqp_frame_t frame;
    const absl::Duration left = absl::Nanoseconds(deadline - MonotonicNanos());
    const auto got = connection_->NextFrame(frame, left, nullptr);
    if (!got.ok()) return got.status();
    if (!*got) {
      if (absl::Status blocked = BlockedStatus(); !blocked.ok()) return blocked;
      return absl::UnavailableError("amqp: the broker did not confirm in time");
    }
    if (frame.frame_type != AMQP_FRAME_METHOD) continue;
    absl::Status status = HandleMethod(frame.payload.method, flight);
    if (!status.ok()) return status;
    connection_->Release();
  }
  return std::move(flight.outcomes);
}

absl::Status Publisher::SendAll(Flight& flight, std::int64_t deadline_nanos) {
  absl::Status status = TakeArrived(flight);
  if (status.ok()) status = BlockedStatus();
  // A message that an alarm has cut in two has to be finished before another begins.
  if (status.ok()) status = SendRest(flight, deadline_nanos);
  for (std::size_t i = 0; status.ok() && i < flight.publications.size(); ++i) {
    status = UntilRoom(flight, deadline_nanos);
    if (!status.ok()) break;
    status = Send(flight.publications[i], flight.message_ids[i]);
    if (!status.ok()) break;
    ++next_tag_;
    status = SendRest(flight, deadline_nanos);
  }
  return status;
}

absl::Status Publisher::BlockedStatus() const {
  if (connection_->blocked().empty()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kUnavailable, kBlocked,
                   StrCat("amqp: the broker takes no messages for now: ", connection_->blocked()));
}

absl::Status Publisher::Idle() {
  const std::vector<Publication> none;
  Flight nothing{.publications = none, .first_tag = next_tag_, .unsettled = 0};
  return TakeArrived(nothing);
}

// What the broker has said meanwhile.
absl::Status Publisher::TakeArrived(Flight& flight) {
  for (;;) {
    amqp_frame_t frame;
    const auto got = connection_->NextFrame(frame, absl::ZeroDuration(), nullptr);
    if (!got.ok()) return got.status();
    if (!*got) return absl::OkStatus();
    if (frame.frame_type != AMQP_FRAME_METHOD) continue;
    absl::Status status = HandleMethod(frame.payload.method, flight);
    if (!status.ok()) return status;
    connection_->Release();
  }
}

absl::Status Publisher::HandleMethod(const amqp_method_t& method, Flight& flight) {
  const auto settle = [&](std::uint64_t tag, bool multiple, const absl::Status& outcome) {
    for (std::uint64_t t = multiple ? flight.first_tag : tag; t <= tag; ++t) {
      const std::uint64_t i = t - flight.first_tag;
      if (i >= flight.settled.size() || flight.settled[i]) continue;
      flight.settled[i] = true;
      --flight.unsettled;
      if (flight.outcomes[i].ok())
        flight.outcomes[i] = outcome;  // a return came before its confirm
    }
  };
  switch (method.id) {
    case AMQP_BASIC_ACK_METHOD: {
      const auto* ack = static_cast<const amqp_basic_ack_t*>(method.decoded);
      settle(ack->delivery_tag, ack->multiple != 0, absl::OkStatus());
      return absl::OkStatus();
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto* nack = static_cast<const amqp_basic_nack_t*>(method.decoded);
      settle(nack->delivery_tag, nack->multiple != 0,
             absl::UnavailableError("amqp: the broker refused the message"));
      return absl::OkStatus();
    }
    case AMQP_BASIC_RETURN_METHOD:
      return HandleReturn(*static_cast<const amqp_basic_return_t*>(method.decoded), flight);
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
      return Connection::CloseStatus(method, "publishing");
    default:
      return absl::OkStatus();
  }
}

absl::Status Publisher::HandleReturn(const amqp_basic_return_t& returned, Flight& flight) {
  // Reading the message gives the memory that `returned` lies in back to the library.
  const std::string exchange = ToString(returned.exchange);
  const std::string routing_key = ToString(returned.routing_key);
  amqp_message_t message;
  const amqp_rpc_reply_t reply =
      amqp_read_message(connection_->state(), Connection::kChannel, &message, 0);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
    return LibraryError(reply.library_error, "reading a returned message");
  }
  // A message comes back without its tag. Another one of the same key and id has had the same fate.
  const std::string id = (message.properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0
                             ? ToString(message.properties.message_id)
                             : std::string();
  amqp_destroy_message(&message);
  const absl::Status unroutable =
      MakeError(absl::StatusCode::kNotFound, "UNROUTABLE",
                StrCat("amqp: unroutable: exchange \"", exchange, "\" has no queue bound for \"",
                       routing_key, "\""));
  for (std::size_t i = 0; i < flight.publications.size(); ++i) {
    const Publication& publication = flight.publications[i];
    if (flight.message_ids[i] == id && publication.exchange == exchange &&
        publication.routing_key == routing_key) {
      flight.outcomes[i] = unroutable;
    }
  }
  return absl::OkStatus();
}

}  // namespace god33::amqp
