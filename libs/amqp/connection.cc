#include "amqp/connection.h"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"

namespace god33::amqp {
namespace {

absl::Status OpenSocket(amqp_connection_state_t state, const Config& config,
                        const amqp_connection_info& info) {
  amqp_socket_t* socket = nullptr;
  if (info.ssl) {
    socket = amqp_ssl_socket_new(state);
    if (socket == nullptr) return absl::InternalError("amqp: no memory for a TLS socket");
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket, 1);
    const std::string ca =
        config.ca_file.empty() ? "/etc/ssl/certs/ca-certificates.crt" : config.ca_file;
    if (const int error = amqp_ssl_socket_set_cacert(socket, ca.c_str()); error != AMQP_STATUS_OK) {
      return MakeError(absl::StatusCode::kFailedPrecondition, "AMQP_CA_FILE",
                       StrCat("amqp: can't read the certificate authorities in ", ca));
    }
  } else {
    socket = amqp_tcp_socket_new(state);
    if (socket == nullptr) return absl::InternalError("amqp: no memory for a socket");
  }
  const timeval timeout = absl::ToTimeval(config.connect_timeout);
  const int error = amqp_socket_open_noblock(socket, info.host, info.port, &timeout);
  if (error != AMQP_STATUS_OK) {
    return LibraryError(error, StrCat("connecting to ", info.host, ":", info.port));
  }
  return absl::OkStatus();
}

absl::Status LogIn(amqp_connection_state_t state, const Config& config,
                   const amqp_connection_info& info) {
  // Without these capabilities the broker ends a consumer whose queue is deleted, and stops to take
  // messages, without a word.
  const auto capability = [](const char* name) {
    amqp_table_entry_t entry;
    entry.key = amqp_cstring_bytes(name);
    entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    entry.value.value.boolean = 1;
    return entry;
  };
  std::array<amqp_table_entry_t, 2> capabilities = {capability("consumer_cancel_notify"),
                                                    capability("connection.blocked")};
  std::array<amqp_table_entry_t, 2> entries;
  entries[0].key = amqp_cstring_bytes("connection_name");
  entries[0].value.kind = AMQP_FIELD_KIND_UTF8;
  entries[0].value.value.bytes = Bytes(config.name);
  entries[1].key = amqp_cstring_bytes("capabilities");
  entries[1].value.kind = AMQP_FIELD_KIND_TABLE;
  entries[1].value.value.table = {.num_entries = static_cast<int>(capabilities.size()),
                                  .entries = capabilities.data()};
  const amqp_table_t properties = {.num_entries = static_cast<int>(entries.size()),
                                   .entries = entries.data()};
  constexpr int kFrameMax = 131072;
  const int heartbeat =
      static_cast<int>(std::max<std::int64_t>(1, absl::ToInt64Seconds(config.heartbeat)));
  const amqp_rpc_reply_t reply =
      amqp_login_with_properties(state, info.vhost, AMQP_DEFAULT_MAX_CHANNELS, kFrameMax, heartbeat,
                                 &properties, AMQP_SASL_METHOD_PLAIN, info.user, info.password);
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) {
    return Connection::CloseStatus(reply.reply, "logging in");
  }
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
    return LibraryError(reply.library_error, "logging in (wrong user, password or vhost?)");
  }
  amqp_channel_open(state, Connection::kChannel);
  const amqp_rpc_reply_t opened = amqp_get_rpc_reply(state);
  if (opened.reply_type != AMQP_RESPONSE_NORMAL) {
    return LibraryError(opened.library_error, "opening a channel");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LibraryError(int code, const std::string& doing) {
  return absl::UnavailableError(StrCat("amqp: ", doing, ": ", amqp_error_string2(code)));
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const Config& config) {
  // Parsing writes into the text and keeps pointers to it.
  std::vector<char> url(config.url.c_str(), config.url.c_str() + config.url.size() + 1);
  amqp_connection_info info;
  amqp_default_connection_info(&info);
  if (amqp_parse_url(url.data(), &info) != AMQP_STATUS_OK) {
    return MakeError(absl::StatusCode::kInvalidArgument, "AMQP_URL",
                     "amqp: expected a URL like amqp://user:password@host:5672/vhost");
  }
  std::unique_ptr<Connection> connection(new Connection(amqp_new_connection(), config.heartbeat));
  const timeval timeout = absl::ToTimeval(config.connect_timeout);
  amqp_set_handshake_timeout(connection->state_, &timeout);
  // A synchronous call waits for the broker at most this long.
  const timeval rpc_timeout = absl::ToTimeval(config.connect_timeout * 3);
  amqp_set_rpc_timeout(connection->state_, &rpc_timeout);
  if (absl::Status status = OpenSocket(connection->state_, config, info); !status.ok())
    return status;
  if (absl::Status status = LogIn(connection->state_, config, info); !status.ok()) return status;
  return connection;
}

Connection::~Connection() {
  // Says good-bye so that the broker gives unacked messages on at once; a dead peer doesn't answer,
  // and the wait for it is bounded.
  const timeval timeout = {.tv_sec = 1, .tv_usec = 0};
  amqp_set_rpc_timeout(state_, &timeout);
  amqp_connection_close(state_, AMQP_REPLY_SUCCESS);
  amqp_destroy_connection(state_);
}

absl::StatusOr<bool> Connection::NextFrame(amqp_frame_t& frame, absl::Duration timeout,
                                           Wakeup* wakeup) {
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(timeout);
  for (;;) {
    // With no time to wait the library still reads what is there, and does its heartbeats.
    timeval none = {.tv_sec = 0, .tv_usec = 0};
    const int status = amqp_simple_wait_frame_noblock(state_, &frame, &none);
    if (status == AMQP_STATUS_OK) {
      if (!NoteBlocking(frame)) return true;
      if (!blocked_.empty()) return false;
      continue;
    }
    if (status != AMQP_STATUS_TIMEOUT) return LibraryError(status, "waiting for the broker");
    const std::int64_t left = (deadline - MonotonicNanos()) / 1'000'000;
    if (left <= 0) return false;
    // Wake for heartbeats in time, which the library sends only when it is called.
    const std::int64_t beat = absl::ToInt64Milliseconds(heartbeat_ / 2);
    std::array<pollfd, 2> pollers{{{.fd = amqp_get_sockfd(state_), .events = POLLIN},
                                   {.fd = wakeup ? wakeup->fd() : -1, .events = POLLIN}}};
    const int ready = poll(pollers.data(), pollers.size(), static_cast<int>(std::min(left, beat)));
    if (ready < 0 && errno != EINTR) return absl::UnavailableError("amqp: poll failed");
    if (ready > 0 && pollers[1].revents != 0) {
      wakeup->Clear();
      return false;
    }
  }
}

// Whether the frame only says that the broker has stopped, or goes on, to take messages.
bool Connection::NoteBlocking(const amqp_frame_t& frame) {
  if (frame.frame_type != AMQP_FRAME_METHOD) return false;
  const amqp_method_t& method = frame.payload.method;
  if (method.id == AMQP_CONNECTION_BLOCKED_METHOD) {
    blocked_ = ToString(static_cast<const amqp_connection_blocked_t*>(method.decoded)->reason);
    if (blocked_.empty()) blocked_ = "it does not say why";
  } else if (method.id == AMQP_CONNECTION_UNBLOCKED_METHOD) {
    blocked_.clear();
  } else {
    return false;
  }
  amqp_maybe_release_buffers_on_channel(state_, frame.channel);
  return true;
}

absl::StatusOr<Connection::Ready> Connection::WaitReady(absl::Duration timeout) {
  pollfd poller{.fd = amqp_get_sockfd(state_), .events = POLLIN | POLLOUT};
  const auto wait = std::max<std::int64_t>(0, absl::ToInt64Milliseconds(timeout));
  if (poll(&poller, 1, static_cast<int>(wait)) < 0 && errno != EINTR) {
    return absl::UnavailableError("amqp: poll failed");
  }
  // Of a connection that has ended the next call will tell.
  return Ready{.to_read = (poller.revents & ~POLLOUT) != 0,
               .to_send = (poller.revents & POLLOUT) != 0};
}

absl::Status Connection::Pause(absl::Duration timeout, Wakeup& wakeup) {
  const absl::Duration beat = heartbeat_ / 2;
  pollfd poller{.fd = wakeup.fd(), .events = POLLIN};
  if (poll(&poller, 1, static_cast<int>(absl::ToInt64Milliseconds(std::min(timeout, beat)))) > 0) {
    wakeup.Clear();
  }
  const amqp_frame_t heartbeat = {.frame_type = AMQP_FRAME_HEARTBEAT, .channel = 0};
  const int status = amqp_send_frame(state_, &heartbeat);
  return status == AMQP_STATUS_OK ? absl::OkStatus() : LibraryError(status, "sending a heartbeat");
}

absl::Status Connection::CloseStatus(const amqp_method_t& method, const std::string& doing) {
  std::uint16_t code = 0;
  std::string text = "closed by the broker";
  if (method.id == AMQP_CHANNEL_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_channel_close_t*>(method.decoded);
    code = close->reply_code;
    text = ToString(close->reply_text);
  } else if (method.id == AMQP_CONNECTION_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_connection_close_t*>(method.decoded);
    code = close->reply_code;
    text = ToString(close->reply_text);
  }
  const std::string message = StrCat("amqp: ", doing, ": ", code, " ", text);
  if (code == AMQP_PRECONDITION_FAILED) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "AMQP_PRECONDITION_FAILED", message);
  }
  if (code == AMQP_NOT_FOUND) {
    return MakeError(absl::StatusCode::kNotFound, "AMQP_NOT_FOUND", message);
  }
  // 530 is what a wrong virtual host is answered with.
  if (code == AMQP_ACCESS_REFUSED || code == AMQP_NOT_ALLOWED) {
    return MakeError(absl::StatusCode::kPermissionDenied, "AMQP_ACCESS_REFUSED", message);
  }
  return absl::UnavailableError(message);
}

absl::Status Connection::LastReply(const std::string& doing) {
  const amqp_rpc_reply_t reply = amqp_get_rpc_reply(state_);
  switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL:
      return absl::OkStatus();
    case AMQP_RESPONSE_SERVER_EXCEPTION:
      return CloseStatus(reply.reply, doing);
    default:
      return LibraryError(reply.library_error, doing);
  }
}

}  // namespace god33::amqp
