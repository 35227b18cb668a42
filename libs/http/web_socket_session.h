#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "http/deadline.h"
#include "http/piece.h"
#include "http/server.h"

namespace god33::http {

// A connection's life as a WebSocket. Everything runs on the strand that is the socket's executor.
class WebSocketSession : public std::enable_shared_from_this<WebSocketSession> {
 public:
  // Uses `socket`, which lives as long as `owner`.
  WebSocketSession(boost::asio::ip::tcp::socket& socket, std::shared_ptr<void> owner,
                   const Options& options, WebSocketEvents events);

  // Answers the request that had this Sec-WebSocket-Key, with these headers beside the needed ones,
  // and begins. `ended` runs when it is time to close the socket.
  void Start(const std::string& key, Headers headers, absl::AnyInvocable<void() &&> ended);

  // As in WebSocket.
  void Send(Piece piece);
  void Close(int code, std::string reason);

  // The socket is closed, or will never be a WebSocket.
  void Cut(int code);

  boost::asio::any_io_executor executor() { return stream_.get_executor(); }

 private:
  using error_code = boost::system::error_code;

  void OnAccepted(const error_code& error);
  void Read();
  void OnControl(boost::beast::websocket::frame_type type);
  void OnRead(const error_code& error);
  void WriteNext();
  void WriteFragment();
  void OnFragment(const error_code& error, std::size_t bytes);
  void AwaitTick();
  void Tick();
  void SendClose();
  void End(int code);

  int CodeOf(const error_code& error);
  bool TooMuchWaits() const { return queued_bytes_ > kMaxWaitingBytes / 2; }

  std::shared_ptr<void> owner_;  // first: what the stream refers to goes last
  const Options& options_;
  WebSocketEvents events_;
  boost::beast::websocket::stream<boost::asio::ip::tcp::socket&> stream_;
  boost::beast::flat_buffer buffer_;
  Deadline tick_;
  Deadline write_deadline_;
  Deadline close_deadline_;
  absl::AnyInvocable<void() &&> ended_callback_;

  std::deque<Piece> queue_;       // the front one is being sent while writing_
  std::size_t queued_bytes_ = 0;  // of those that nobody awaits and that are not being sent
  std::size_t sent_ = 0;          // of the front one
  std::int64_t heard_nanos_ = 0;  // when there was a sign of life
  int close_code_ = 0;            // ours; 0: open
  std::string close_reason_;
  bool open_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool pinging_ = false;
  bool closing_ = false;  // our close frame is on its way
  bool ended_ = false;
};

}  // namespace god33::http
