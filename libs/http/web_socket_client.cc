#include "http/web_socket_client.h"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <exception>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/clock.h"
#include "base/strings.h"
#include "http/deadline.h"

namespace god33::http {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
namespace {

using asio::ip::tcp;
using error_code = boost::system::error_code;

constexpr std::size_t kReadBytes = 64 << 10;

absl::Status Lost(std::string_view why) {
  return absl::UnavailableError(ToAbsl(why));
}

// What the server answered instead of becoming a WebSocket.
absl::Status Declined(unsigned status) {
  const std::string text = StrCat("it answered with status ", status, " instead of a WebSocket");
  if (status == 401) return absl::UnauthenticatedError(text);
  if (status == 403) return absl::PermissionDeniedError(text);
  if (status == 429 || status >= 500) return absl::UnavailableError(text);
  return absl::FailedPreconditionError(text);
}

// A connection, over TCP or TLS. Everything but Send runs on the thread of `io`.
class Session {
 public:
  virtual ~Session() = default;
  virtual void Start() = 0;
  virtual absl::Status Send(std::string text) = 0;
  virtual void Close() = 0;

  // As after an error.
  virtual void End(absl::Status why) = 0;
};

template <typename Stream>
class SessionOver final : public Session, public std::enable_shared_from_this<SessionOver<Stream>> {
  static constexpr bool kSecure = !std::is_same_v<Stream, tcp::socket>;

 public:
  // `connected` runs once, with the outcome of Start; the events come only after a good one.
  template <typename... StreamArguments>
  SessionOver(asio::io_context& io, const WebSocketClientOptions& options,
              WebSocketClientEvents events, absl::AnyInvocable<void(absl::Status) &&> connected,
              StreamArguments&&... stream_arguments)
      : io_(io),
        options_(options),
        events_(std::move(events)),
        connected_(std::move(connected)),
        resolver_(io),
        stream_(std::forward<StreamArguments>(stream_arguments)...),
        connect_deadline_(io.get_executor()),
        tick_(io.get_executor()),
        write_deadline_(io.get_executor()),
        close_deadline_(io.get_executor()) {}

  void Start() override {
    connect_deadline_.Set(options_.connect_timeout, [self = this->shared_from_this()] {
      self->End(absl::DeadlineExceededError("it did not answer in time"));
    });
    resolver_.async_resolve(options_.url.host, options_.url.port,
                            [self = this->shared_from_this()](const error_code& error, auto found) {
                              if (self->Failed(error)) return;
                              asio::async_connect(
                                  self->socket(), found,
                                  [self](const error_code& connect_error, const tcp::endpoint&) {
                                    if (!self->Failed(connect_error)) self->Secure();
                                  });
                            });
  }

  absl::Status Send(std::string text) override {
    {
      absl::MutexLock lock(&mutex_);
      if (!why_.ok()) return why_;
      if (waiting_bytes_ + text.size() > options_.max_waiting_bytes) {
        return absl::ResourceExhaustedError(
            "too much waits to be sent: the server reads too slowly");
      }
      waiting_bytes_ += text.size();
    }
    asio::post(io_, [self = this->shared_from_this(), text = std::move(text)]() mutable {
      if (self->ended_) return;
      self->queue_.push_back(std::move(text));
      self->WriteNext();
    });
    return absl::OkStatus();
  }

  void Close() override {
    if (ended_ || closing_requested_) return;
    if (!open_) return End(Lost("it was closed before it was open"));
    closing_requested_ = true;
    close_deadline_.Set(options_.close_timeout,
                        [self = this->shared_from_this()] { self->End(Lost("it was closed")); });
    WriteNext();
  }

  void End(absl::Status why) override {
    if (std::exchange(ended_, true)) return;
    {
      absl::MutexLock lock(&mutex_);
      why_ = why;
    }
    connect_deadline_.Cancel();
    tick_.Cancel();
    write_deadline_.Cancel();
    close_deadline_.Cancel();
    resolver_.cancel();
    error_code ignored;
    socket().close(ignored);
    if (connected_) {
      std::exchange(connected_, nullptr)(std::move(why));
    } else if (events_.gone) {
      std::move(events_.gone)(why);
    }
    events_ = {};
  }

 private:
  tcp::socket& socket() { return beast::get_lowest_layer(stream_); }

  // Whether this was the end.
  bool Failed(const error_code& error) {
    if (ended_) return true;
    if (error) End(StatusOf(error));
    return ended_;
  }

  void Secure() {
    error_code ignored;
    socket().set_option(tcp::no_delay(true), ignored);
    if constexpr (kSecure) {
      auto& tls = stream_.next_layer();
      const std::string& host = options_.url.host;
      asio::ip::make_address(host, ignored);
      const bool is_name = static_cast<bool>(ignored);
      if (is_name && SSL_set_tlsext_host_name(tls.native_handle(), host.c_str()) != 1) {
        return End(absl::InternalError("the host's name can't be given to TLS"));
      }
      error_code error;
      tls.set_verify_callback(asio::ssl::host_name_verification(host), error);
      if (Failed(error)) return;
      tls.async_handshake(asio::ssl::stream_base::client,
                          [self = this->shared_from_this()](const error_code& failed) {
                            if (!self->Failed(failed)) self->ShakeHands();
                          });
    } else {
      ShakeHands();
    }
  }

  void ShakeHands() {
    websocket::stream_base::timeout timeouts{};
    timeouts.handshake_timeout = websocket::stream_base::none();  // see connect_deadline_
    timeouts.idle_timeout = websocket::stream_base::none();       // see Tick
    timeouts.keep_alive_pings = false;
    stream_.set_option(timeouts);
    stream_.set_option(websocket::stream_base::decorator(
        [token = options_.bearer_token](websocket::request_type& request) {
          request.set(beast::http::field::user_agent, "god33");
          if (!token.empty())
            request.set(beast::http::field::authorization, StrCat("Bearer ", token));
        }));
    stream_.read_message_max(options_.max_message_bytes);
    stream_.auto_fragment(false);
    stream_.text(true);
    stream_.control_callback(
        [this](websocket::frame_type, beast::string_view) { heard_nanos_ = MonotonicNanos(); });
    stream_.async_handshake(
        response_, HostHeader(), options_.url.target,
        [self = this->shared_from_this()](const error_code& error) { self->OnHandshake(error); });
  }

  std::string HostHeader() const {
    const WebSocketUrl& url = options_.url;
    const bool v6 = url.host.find(':') != std::string::npos;
    const std::string host = v6 ? StrCat("[", url.host, "]") : url.host;
    return url.port == (url.secure ? "443" : "80") ? host : StrCat(host, ":", url.port);
  }

  void OnHandshake(const error_code& error) {
    if (ended_) return;
    if (error == websocket::error::upgrade_declined) return End(Declined(response_.result_int()));
    if (error.category() == make_error_code(websocket::error::closed).category() ||
        error.category() == make_error_code(beast::http::error::bad_version).category()) {
      return End(absl::FailedPreconditionError(
          StrCat("its answer is not a WebSocket's: ", error.message())));
    }
    if (Failed(error)) return;
    open_ = true;
    connect_deadline_.Cancel();
    heard_nanos_ = MonotonicNanos();
    std::exchange(connected_, nullptr)(absl::OkStatus());
    AwaitTick();
    WriteNext();
    Read();
  }

  void Read() {
    stream_.async_read_some(buffer_, kReadBytes,
                            [self = this->shared_from_this()](
                                const error_code& error, std::size_t) { self->OnRead(error); });
  }

  void OnRead(const error_code& error) {
    if (ended_) return;
    if (error) {
      // When we are closing, the closing handshake tells the end.
      if (!closing_) End(StatusOf(error));
      return;
    }
    heard_nanos_ = MonotonicNanos();
    if (!stream_.got_text()) return End(absl::InvalidArgumentError("it sent a binary message"));
    if (closing_requested_) {
      buffer_.consume(buffer_.size());
    } else if (stream_.is_message_done()) {
      std::string text = beast::buffers_to_string(buffer_.data());
      buffer_.consume(buffer_.size());
      absl::Status status = events_.message(std::move(text));
      if (!status.ok()) return End(std::move(status));
    }
    if (!closing_) Read();
  }

  void WriteNext() {
    if (!open_ || writing_ || closing_ || ended_) return;
    if (queue_.empty()) {
      if (closing_requested_) SendClose();
      return;
    }
    writing_ = true;
    write_deadline_.Set(options_.write_timeout, [self = this->shared_from_this()] {
      self->End(Lost("the server reads nothing"));
    });
    stream_.async_write(asio::buffer(queue_.front()),
                        [self = this->shared_from_this()](const error_code& error, std::size_t) {
                          if (self->Failed(error)) return;
                          self->write_deadline_.Cancel();
                          self->writing_ = false;
                          {
                            absl::MutexLock lock(&self->mutex_);
                            self->waiting_bytes_ -= self->queue_.front().size();
                          }
                          self->queue_.pop_front();
                          self->WriteNext();
                        });
  }

  void SendClose() {
    closing_ = true;
    stream_.async_close(
        websocket::close_code::normal,
        [self = this->shared_from_this()](const error_code&) { self->End(Lost("it was closed")); });
  }

  void AwaitTick() {
    tick_.Set(options_.ping_interval, [self = this->shared_from_this()] { self->Tick(); });
  }

  void Tick() {
    if (ended_ || closing_) return;
    const absl::Duration silence = absl::Nanoseconds(MonotonicNanos() - heard_nanos_);
    if (silence > options_.silence_timeout) {
      return End(Lost("the server is silent: it answers no ping"));
    }
    if (!pinging_) {
      pinging_ = true;
      stream_.async_ping(
          {}, [self = this->shared_from_this()](const error_code&) { self->pinging_ = false; });
    }
    AwaitTick();
  }

  absl::Status StatusOf(const error_code& error) {
    if (error == websocket::error::closed) {
      const auto& reason = stream_.reason();
      return Lost(StrCat("the server closed it with ", static_cast<int>(reason.code),
                         reason.reason.empty() ? "" : ": ",
                         std::string_view(reason.reason.data(), reason.reason.size())));
    }
    if (error == websocket::error::message_too_big) {
      return absl::InvalidArgumentError(
          StrCat("it sent a message of more than ", options_.max_message_bytes, " bytes"));
    }
    if (error == websocket::condition::protocol_violation) {
      return absl::InvalidArgumentError(
          StrCat("it breaks the WebSocket protocol: ", error.message()));
    }
    if (error == asio::error::eof || error == asio::ssl::error::stream_truncated) {
      return Lost("the server hung up");
    }
    return Lost(error.message());
  }

  asio::io_context& io_;
  const WebSocketClientOptions& options_;
  WebSocketClientEvents events_;
  absl::AnyInvocable<void(absl::Status) &&> connected_;  // empty once it has run
  tcp::resolver resolver_;
  websocket::stream<Stream> stream_;
  websocket::response_type response_;
  beast::flat_buffer buffer_;
  Deadline connect_deadline_;
  Deadline tick_;
  Deadline write_deadline_;
  Deadline close_deadline_;

  std::deque<std::string> queue_;  // the front one is being sent while writing_
  std::int64_t heard_nanos_ = 0;   // when there was a sign of life
  bool open_ = false;
  bool writing_ = false;
  bool pinging_ = false;
  bool closing_requested_ = false;
  bool closing_ = false;  // our close frame is on its way
  bool ended_ = false;

  absl::Mutex mutex_;
  std::size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status why_ ABSL_GUARDED_BY(mutex_);  // of the end
};

}  // namespace

absl::StatusOr<WebSocketUrl> WebSocketUrl::Parse(std::string_view url) {
  const auto bad = [url](std::string_view why) {
    return absl::InvalidArgumentError(
        StrCat("\"", Clip(url, 200), "\" is no WebSocket's URL: ", why));
  };
  WebSocketUrl parsed;
  const std::size_t scheme = url.find("://");
  if (url.substr(0, scheme) == "wss") {
    parsed.secure = true;
  } else if (url.substr(0, scheme) != "ws") {
    return bad("it must begin with ws:// or wss://");
  }
  const bool plain =
      std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7F; });
  if (!plain || url.find('#') != std::string_view::npos) {
    return bad("blanks, fragments and other characters than ASCII's have no place there");
  }
  std::string_view rest = url.substr(scheme + 3);
  const std::size_t path = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, path);
  parsed.target = rest.substr(path);
  if (!parsed.target.starts_with('/')) parsed.target.insert(0, "/");
  if (authority.find('@') != std::string_view::npos) return bad("it can't hold a user's name");
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad("expected ']'");
    parsed.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
    if (!authority.empty() && authority[0] != ':') return bad("expected ':' behind ']'");
    port = authority;
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    parsed.host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  if (parsed.host.empty()) return bad("it names no host");
  parsed.port = parsed.secure ? "443" : "80";
  if (!port.empty()) {
    parsed.port = port.substr(1);
    const bool digits = std::all_of(parsed.port.begin(), parsed.port.end(),
                                    [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || parsed.port.empty() || parsed.port.size() > 5 ||
        std::stoi(parsed.port) > 65535 || std::stoi(parsed.port) == 0) {
      return bad("its port is not a number from 1 to 65535");
    }
  }
  return parsed;
}

class WebSocketClient::Impl {
 public:
  explicit Impl(WebSocketClientOptions options) : options_(std::move(options)) {}

  ~Impl() {
    if (!thread_.joinable()) return;
    asio::post(io_, [session = session_] { session->Close(); });
    thread_.join();
  }

  absl::Status Connect(WebSocketClientEvents events) {
    absl::Notification done;
    absl::Status outcome;
    auto connected = [&done, &outcome](absl::Status status) {
      outcome = std::move(status);
      done.Notify();
    };
    if (options_.url.secure) {
      tls_.emplace(asio::ssl::context::tls_client);
      tls_->set_options(asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                        asio::ssl::context::no_tlsv1_1);
      tls_->set_default_verify_paths();
      tls_->set_verify_mode(asio::ssl::verify_peer);
      session_ = std::make_shared<SessionOver<asio::ssl::stream<tcp::socket>>>(
          io_, options_, std::move(events), std::move(connected), io_, *tls_);
    } else {
      session_ = std::make_shared<SessionOver<tcp::socket>>(io_, options_, std::move(events),
                                                            std::move(connected), io_);
    }
    asio::post(io_, [session = session_] { session->Start(); });
    thread_ = std::thread([this] { Run(); });
    done.WaitForNotification();
    return outcome;
  }

  absl::Status Send(std::string text) { return session_->Send(std::move(text)); }

 private:
  void Run() {
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& e) {  // memory, or what the kernel refuses
        session_->End(absl::InternalError(e.what()));
      }
    }
  }

  const WebSocketClientOptions options_;
  asio::io_context io_{1};
  std::optional<asio::ssl::context> tls_;
  std::shared_ptr<Session> session_;
  std::thread thread_;
};

WebSocketClient::WebSocketClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

WebSocketClient::~WebSocketClient() = default;

absl::StatusOr<std::unique_ptr<WebSocketClient>> WebSocketClient::Connect(
    WebSocketClientOptions options, WebSocketClientEvents events) {
  try {
    auto impl = std::make_unique<Impl>(std::move(options));
    if (absl::Status status = impl->Connect(std::move(events)); !status.ok()) return status;
    return std::unique_ptr<WebSocketClient>(new WebSocketClient(std::move(impl)));
  } catch (const std::exception& e) {  // TLS that can't be set up, no thread to be had
    return absl::InternalError(e.what());
  }
}

absl::Status WebSocketClient::Send(std::string text) {
  return impl_->Send(std::move(text));
}

}  // namespace god33::http
