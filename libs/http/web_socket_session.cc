#include "http/web_socket_session.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <utility>

#include "base/clock.h"
#include "base/strings.h"

namespace god33::http {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
namespace {

// A long message goes out in frames of this size: so pings find their way between, and each one that
// is through shows that the client still reads.
constexpr std::size_t kFragmentBytes = 64 << 10;

constexpr std::size_t kReadBytes = 16 << 10;
constexpr std::size_t kMostReasonBytes = 123;

beast::string_view ToBeast(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

WebSocketSession::WebSocketSession(asio::ip::tcp::socket& socket, std::shared_ptr<void> owner,
                                   const Options& options, WebSocketEvents events)
    : owner_(std::move(owner)),
      options_(options),
      events_(std::move(events)),
      stream_(socket),
      tick_(socket.get_executor()),
      write_deadline_(socket.get_executor()),
      close_deadline_(socket.get_executor()) {}

void WebSocketSession::Start(const std::string& key, Headers headers,
                             absl::AnyInvocable<void() &&> ended) {
  ended_callback_ = std::move(ended);
  if (ended_) return std::move(ended_callback_)();
  websocket::stream_base::timeout timeouts{};
  timeouts.handshake_timeout =
      absl::ToChronoNanoseconds(options_.web_socket.close_timeout);  // also for closing
  timeouts.idle_timeout = websocket::stream_base::none();            // see Tick
  timeouts.keep_alive_pings = false;
  stream_.set_option(timeouts);
  stream_.set_option(
      websocket::stream_base::decorator([headers](websocket::response_type& response) {
        response.set(beast::http::field::server, "god33");
        for (const auto& [name, value] : headers) response.set(name, value);
      }));
  stream_.read_message_max(options_.web_socket.max_message_bytes);
  stream_.auto_fragment(false);
  stream_.text(true);
  stream_.control_callback(
      [this](websocket::frame_type type, beast::string_view) { OnControl(type); });
  // The request was read before; these are the parts of it that an answer depends on.
  beast::http::request<beast::http::empty_body> request(beast::http::verb::get, "/", 11);
  request.set(beast::http::field::host, "-");
  request.set(beast::http::field::upgrade, "websocket");
  request.set(beast::http::field::connection, "Upgrade");
  request.set(beast::http::field::sec_websocket_version, "13");
  request.set(beast::http::field::sec_websocket_key, key);
  stream_.async_accept(
      request, [self = shared_from_this()](const error_code& error) { self->OnAccepted(error); });
}

void WebSocketSession::OnAccepted(const error_code& error) {
  if (ended_) return;
  if (error) return End(kCloseLost);
  open_ = true;
  heard_nanos_ = MonotonicNanos();
  AwaitTick();
  WriteNext();
  Read();
}

void WebSocketSession::Read() {
  if (reading_ || closing_ || ended_ || TooMuchWaits()) return;
  reading_ = true;
  stream_.async_read_some(
      buffer_, kReadBytes,
      [self = shared_from_this()](const error_code& error, std::size_t) { self->OnRead(error); });
}

void WebSocketSession::OnRead(const error_code& error) {
  reading_ = false;
  if (ended_) return;
  if (error) {
    // When we are closing, the other half of the handshake tells the end.
    if (!closing_) End(CodeOf(error));
    return;
  }
  heard_nanos_ = MonotonicNanos();
  if (closing_ || close_code_ != 0) {
    buffer_.consume(buffer_.size());
  } else if (!stream_.got_text()) {
    return Close(kCloseNotText, "only text messages are understood");
  } else if (stream_.is_message_done()) {
    std::string text = beast::buffers_to_string(buffer_.data());
    buffer_.consume(buffer_.size());
    events_.message(std::move(text));
  }
  Read();
}

void WebSocketSession::OnControl(websocket::frame_type type) {
  heard_nanos_ = MonotonicNanos();
  if (type != websocket::frame_type::close || close_code_ != 0) return;
  // The stream answers by itself; the client may take its time to hang up then.
  close_deadline_.Set(options_.web_socket.close_timeout, [self = shared_from_this()] {
    self->End(self->CodeOf(websocket::error::closed));
  });
}

void WebSocketSession::Send(Piece piece) {
  if (ended_ || close_code_ != 0) return;
  if (!piece.awaited()) queued_bytes_ += piece.bytes().size();
  queue_.push_back(std::move(piece));
  WriteNext();
}

void WebSocketSession::WriteNext() {
  if (!open_ || writing_ || closing_ || ended_) return;
  if (queue_.empty()) {
    if (close_code_ != 0) SendClose();
    return;
  }
  writing_ = true;
  sent_ = 0;
  if (!queue_.front().awaited()) queued_bytes_ -= queue_.front().bytes().size();
  queue_.front().StopWaiting();
  WriteFragment();
}

void WebSocketSession::WriteFragment() {
  write_deadline_.Set(options_.write_timeout,
                      [self = shared_from_this()] { self->End(kCloseLost); });
  const std::string& bytes = queue_.front().bytes();
  const std::size_t size = std::min(kFragmentBytes, bytes.size() - sent_);
  stream_.async_write_some(sent_ + size == bytes.size(), asio::buffer(bytes.data() + sent_, size),
                           [self = shared_from_this(), size](const error_code& error, std::size_t) {
                             self->OnFragment(error, size);
                           });
}

void WebSocketSession::OnFragment(const error_code& error, std::size_t bytes) {
  if (ended_) return;
  write_deadline_.Cancel();
  if (error) {
    // The read tells what the client did; without one there is nothing more to learn.
    writing_ = false;
    if (!reading_ && !closing_) End(kCloseLost);
    return;
  }
  if (!reading_) heard_nanos_ = MonotonicNanos();  // the only sign of life that can come now
  sent_ += bytes;
  if (sent_ < queue_.front().bytes().size()) return WriteFragment();
  writing_ = false;
  Piece piece = std::move(queue_.front());
  queue_.pop_front();
  piece.Sent();
  WriteNext();
  Read();
}

void WebSocketSession::AwaitTick() {
  tick_.Set(options_.web_socket.ping_interval, [self = shared_from_this()] { self->Tick(); });
}

void WebSocketSession::Tick() {
  if (ended_ || closing_) return;
  // The stream has closed for a fault of the client's, which does not hang up.
  if (!stream_.is_open()) return End(kCloseProtocolError);
  const absl::Duration silence = absl::Nanoseconds(MonotonicNanos() - heard_nanos_);
  if (silence > options_.web_socket.silence_timeout) return End(kCloseLost);
  if (!pinging_) {
    pinging_ = true;
    stream_.async_ping({},
                       [self = shared_from_this()](const error_code&) { self->pinging_ = false; });
  }
  AwaitTick();
}

void WebSocketSession::Close(int code, std::string reason) {
  if (ended_ || close_code_ != 0) return;
  close_code_ = code;
  close_reason_ = Clip(reason, kMostReasonBytes);
  close_deadline_.Set(options_.web_socket.close_timeout,
                      [self = shared_from_this()] { self->End(self->close_code_); });
  WriteNext();
}

void WebSocketSession::SendClose() {
  closing_ = true;
  const websocket::close_reason reason(static_cast<websocket::close_code>(close_code_),
                                       ToBeast(close_reason_));
  stream_.async_close(
      reason, [self = shared_from_this()](const error_code&) { self->End(self->close_code_); });
}

void WebSocketSession::Cut(int code) {
  End(close_code_ != 0 ? close_code_ : code);
}

void WebSocketSession::End(int code) {
  if (std::exchange(ended_, true)) return;
  tick_.Cancel();
  write_deadline_.Cancel();
  close_deadline_.Cancel();
  // The front piece may still be in use by a write that is being aborted; the others are not.
  while (queue_.size() > (writing_ ? 1u : 0u)) queue_.pop_back();
  if (events_.gone) std::move(events_.gone)(code);
  events_ = {};
  if (ended_callback_) std::exchange(ended_callback_, nullptr)();
}

int WebSocketSession::CodeOf(const error_code& error) {
  if (error == websocket::error::closed) {
    const int code = stream_.reason().code;
    if (code > kLastCloseCode) return kCloseProtocolError;
    return code == websocket::close_code::none ? kCloseNoCode : code;
  }
  if (error == websocket::error::message_too_big) return kCloseTooBig;
  if (error == websocket::error::bad_frame_payload) return kCloseNotUtf8;
  if (error == websocket::condition::protocol_violation) return kCloseProtocolError;
  return kCloseLost;
}

}  // namespace god33::http
