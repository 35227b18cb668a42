#pragma once

#include <amqp.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/wakeup.h"

namespace god33::amqp {

struct Config {
  // amqp://user:password@host:port/vhost, or amqps:// for TLS, which verifies the server's
  // certificate.
  std::string url;
  std::string name;     // shown by the broker's management
  std::string ca_file;  // for amqps; empty: the system's authorities
  absl::Duration connect_timeout = absl::Seconds(5);

  // A peer that was silent for two of these is gone, on either side: what a stopped process costs
  // until the broker gives its messages to another.
  absl::Duration heartbeat = absl::Seconds(5);
};

// A connection to RabbitMQ with one channel. One thread at a time: rabbitmq-c is not thread-safe.
// Errors are UNAVAILABLE when another connection may fare better, otherwise as named.
class Connection {
 public:
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const Config& config);
  ~Connection();

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  amqp_connection_state_t state() { return state_; }

  // Waits for the next frame, until the timeout or a wake-up, or until the broker says that it takes no
  // messages. False: there was none. Heartbeats are sent and watched while waiting. The frame's memory
  // lives until Release().
  absl::StatusOr<bool> NextFrame(amqp_frame_t& frame, absl::Duration timeout, Wakeup* wakeup);

  // Why the broker takes no messages from this connection for now ("low on memory", "low on disk"), as of
  // the last frame that was read; empty: it takes them. It tells only connections that publish.
  const std::string& blocked() const { return blocked_; }

  struct Ready {
    bool to_read = false;
    bool to_send = false;  // a few KiB go without waiting
  };

  // Waits until something has come or can be sent, until the timeout.
  absl::StatusOr<Ready> WaitReady(absl::Duration timeout);

  // Waits for a wake-up without reading, so that the broker is held back; heartbeats go on.
  absl::Status Pause(absl::Duration timeout, Wakeup& wakeup);

  // Frees the memory of the frames that were read.
  void Release() { amqp_maybe_release_buffers_on_channel(state_, kChannel); }

  // The status of the last synchronous call (declare, bind, ...), for what was being done.
  absl::Status LastReply(const std::string& doing);

  // What a close of channel or connection by the broker says.
  static absl::Status CloseStatus(const amqp_method_t& method, const std::string& doing);

  static constexpr amqp_channel_t kChannel = 1;

 private:
  explicit Connection(amqp_connection_state_t state, absl::Duration heartbeat)
      : state_(state), heartbeat_(heartbeat) {}

  bool NoteBlocking(const amqp_frame_t& frame);

  amqp_connection_state_t state_;
  absl::Duration heartbeat_;
  std::string blocked_;
};

// An error of the library by its number.
absl::Status LibraryError(int code, const std::string& doing);

inline amqp_bytes_t Bytes(const std::string& text) {
  return {text.size(), const_cast<char*>(text.data())};
}

inline std::string ToString(amqp_bytes_t bytes) {
  return std::string(static_cast<const char*>(bytes.bytes), bytes.len);
}

}  // namespace god33::amqp
