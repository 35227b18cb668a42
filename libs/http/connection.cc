#include "http/connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include "base/clock.h"
#include "base/strings.h"
#include "http/response_head.h"

namespace god33::http {
namespace asio = boost::asio;
using boost::system::error_code;
using Progress = RequestReader::Progress;
namespace {

// More pipelined requests wait until earlier ones are answered.
constexpr std::size_t kMaxSideBySide = 16;

// How long a client may take to close its side after the last answer. Closing at once would make
// the kernel reset the connection when unread bytes are left, and the answer could be lost.
constexpr absl::Duration kLinger = absl::Seconds(2);

bool IsSafe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

std::string PeerOf(const asio::ip::tcp::socket& socket) {
  error_code error;
  const auto peer = socket.remote_endpoint(error);
  if (error) return "unknown";
  const std::string address = peer.address().to_string();
  return peer.address().is_v6() ? StrCat("[", address, "]:", peer.port())
                                : StrCat(address, ":", peer.port());
}

// The server's stream: hands everything over to the connection's strand.
class PieceStream final : public BodyStream {
 public:
  PieceStream(std::shared_ptr<Core> core, std::weak_ptr<Connection> connection,
              std::uint64_t number)
      : core_(std::move(core)), connection_(std::move(connection)), number_(number) {}

  ~PieceStream() override { End(false); }

  bool Write(std::string bytes, Written written) override {
    if (bytes.empty()) return true;  // an empty chunk would be the end
    auto piece = Piece::Make(std::move(bytes), std::move(written), waiting_);
    if (!piece) return false;
    if (const auto connection = connection_.lock()) {
      asio::post(connection->executor(),
                 [connection, number = number_, piece = *std::move(piece)]() mutable {
                   connection->Write(number, std::move(piece));
                 });
    }
    return true;
  }

  void Close() override { End(true); }

 private:
  void End(bool whole) {
    if (const auto connection = connection_.lock()) {
      asio::post(connection->executor(),
                 [connection, number = number_, whole] { connection->EndStream(number, whole); });
    }
    connection_.reset();
  }

  const std::shared_ptr<Core> core_;  // outlives what connection_.lock() yields
  std::weak_ptr<Connection> connection_;
  const std::uint64_t number_;
  const std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();
};

// The server's WebSocket: the same for its session.
class SessionSocket final : public WebSocket {
 public:
  SessionSocket(std::shared_ptr<Core> core, std::weak_ptr<WebSocketSession> session)
      : core_(std::move(core)), session_(std::move(session)) {}

  ~SessionSocket() override { Close(kCloseInternal, ""); }

  bool Send(std::string text, Written written) override {
    auto piece = Piece::Make(std::move(text), std::move(written), waiting_);
    if (!piece) return false;
    if (const auto session = session_.lock()) {
      asio::post(session->executor(), [session, piece = *std::move(piece)]() mutable {
        session->Send(std::move(piece));
      });
    }
    return true;
  }

  void Close(int code, std::string_view reason) override {
    if (const auto session = session_.lock()) {
      asio::post(session->executor(), [session, code, reason = std::string(reason)]() mutable {
        session->Close(code, std::move(reason));
      });
    }
  }

 private:
  const std::shared_ptr<Core> core_;
  const std::weak_ptr<WebSocketSession> session_;
  const std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();
};

// The server's responder: hands everything over to the connection's strand.
class Reply final : public Responder {
 public:
  Reply(std::shared_ptr<Core> core, std::weak_ptr<Connection> connection, std::uint64_t number)
      : core_(std::move(core)), connection_(std::move(connection)), number_(number) {}

  ~Reply() override {
    if (sent_) return;
    if (const auto connection = connection_.lock()) {
      asio::post(connection->executor(),
                 [connection, number = number_] { connection->Drop(number); });
    }
  }

  void Send(Response response) override {
    sent_ = true;
    if (const auto connection = connection_.lock()) {
      asio::post(connection->executor(),
                 [connection, number = number_, response = std::move(response)]() mutable {
                   connection->Answer(number, std::move(response));
                 });
    }
  }

  std::unique_ptr<BodyStream> Stream(Response head, absl::AnyInvocable<void() &&> gone) override {
    sent_ = true;
    if (const auto connection = connection_.lock()) {
      asio::post(connection->executor(), [connection, number = number_, head = std::move(head),
                                          gone = std::move(gone)]() mutable {
        connection->BeginStream(number, std::move(head), std::move(gone));
      });
    } else {
      RunLater(std::move(gone));
    }
    return std::make_unique<PieceStream>(core_, connection_, number_);
  }

  std::unique_ptr<WebSocket> Upgrade(Headers headers, WebSocketEvents events) override {
    sent_ = true;
    const auto connection = connection_.lock();
    if (connection == nullptr) {
      RunLater([gone = std::move(events.gone)]() mutable { std::move(gone)(kCloseLost); });
      return std::make_unique<SessionSocket>(core_, std::weak_ptr<WebSocketSession>());
    }
    auto session = connection->MakeSession(std::move(events));
    auto socket = std::make_unique<SessionSocket>(core_, session);
    asio::post(connection->executor(), [connection, number = number_, session = std::move(session),
                                        headers = std::move(headers)]() mutable {
      connection->Upgrade(number, std::move(session), std::move(headers));
    });
    return socket;
  }

  void OnGone(absl::AnyInvocable<void() &&> callback) override {
    if (const auto connection = connection_.lock()) {
      asio::dispatch(connection->executor(),
                     [connection, number = number_, callback = std::move(callback)]() mutable {
                       connection->OnGone(number, std::move(callback));
                     });
    } else {
      RunLater(std::move(callback));
    }
  }

 private:
  void RunLater(absl::AnyInvocable<void() &&> callback) {
    if (core_->io.stopped()) return;
    asio::post(core_->io, [callback = std::move(callback)]() mutable { std::move(callback)(); });
  }

  const std::shared_ptr<Core> core_;  // outlives what connection_.lock() yields
  const std::weak_ptr<Connection> connection_;
  const std::uint64_t number_;
  bool sent_ = false;
};

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, Core& core)
    : core_(core),
      socket_(std::move(socket)),
      peer_(PeerOf(socket_)),
      reader_(core.options.max_header_bytes, core.options.max_body_bytes),
      read_deadline_(socket_.get_executor()),
      write_deadline_(socket_.get_executor()),
      grace_(socket_.get_executor()) {}

void Connection::Start() {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  asio::post(executor(), [self = shared_from_this()] { self->Advance(); });
}

void Connection::Drain() {
  asio::post(executor(), [self = shared_from_this()] { self->StartDrain(); });
}

void Connection::Abort() {
  asio::post(executor(), [self = shared_from_this()] { self->Close(); });
}

void Connection::Read() {
  if (reading_ == Reading::kUpgrade || read_pending_ || ended_ || closed_) return;
  read_pending_ = true;
  const auto [data, size] = reader_.Prepare();
  socket_.async_read_some(asio::buffer(data, size),
                          [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                            self->read_pending_ = false;
                            if (self->closed_) return;
                            if (error) {
                              self->OnReadEnd(error != asio::error::eof);
                            } else {
                              self->OnRead(bytes);
                            }
                          });
}

void Connection::OnRead(std::size_t bytes) {
  if (reading_ == Reading::kDiscard) return Read();
  reader_.Commit(bytes);
  Advance();
}

void Connection::OnReadEnd(bool reset) {
  ended_ = true;
  if (reset || (exchanges_.empty() && !writing_)) return Close();
  reading_ = Reading::kDiscard;
  read_deadline_.Cancel();
  grace_.Set(core_.options.half_close_grace, [self = shared_from_this()] { self->Gone(); });
}

void Connection::Advance() {
  while (reading_ == Reading::kRequests && !closed_) {
    progress_ = reader_.Advance();
    if (progress_ == Progress::kComplete) {
      TryRun(reader_.Take());
    } else if (progress_ == Progress::kRefused) {
      Refuse(reader_.refused_status(), reader_.refused_detail());
    } else if (progress_ == Progress::kContinue) {
      read_deadline_.Cancel();
      if (!exchanges_.empty() || writing_) return;  // its turn comes when those are answered
      SendContinue();
      reader_.AwaitBody();
    } else {
      return AwaitBytes();
    }
  }
}

void Connection::AwaitBytes() {
  const Options& options = core_.options;
  if (progress_ == Progress::kIdle) {
    if (exchanges_.empty()) {
      read_deadline_.Set(options.idle_timeout, [self = shared_from_this()] { self->Close(); });
    } else {
      read_deadline_.Cancel();  // the client waits for us
    }
  } else if (progress_ != awaited_) {
    const bool header = progress_ == Progress::kHeader;
    read_deadline_.Set(header ? options.header_timeout : options.body_timeout,
                       [self = shared_from_this(), header] {
                         self->Refuse(
                             408, header ? "the header took too long" : "the body took too long");
                       });
  }
  awaited_ = progress_;
  Read();
}

void Connection::TryRun(Incoming incoming) {
  read_deadline_.Cancel();
  awaited_ = Progress::kIdle;
  if (MayRun(incoming.request)) return Run(std::move(incoming));
  held_ = std::move(incoming);
  reading_ = Reading::kHeld;
}

bool Connection::MayRun(const Request& request) const {
  if (exchanges_.empty()) return true;
  return exchanges_.size() < kMaxSideBySide && exchanges_.back().safe && IsSafe(request.method);
}

void Connection::Run(Incoming incoming) {
  Request& request = incoming.request;
  request.peer = peer_;
  const bool last = !incoming.keep_alive || draining_;
  std::string key;
  if (!last && WantsWebSocket(request)) {
    if (reader_.has_more()) return Refuse(400, "there are bytes behind a request for a WebSocket");
    reading_ = Reading::kUpgrade;
    key = http::Find(request.headers, "Sec-WebSocket-Key");
  }
  exchanges_.push_back(Exchange{.head = request.method == "HEAD",
                                .safe = IsSafe(request.method),
                                .http10 = incoming.http10,
                                .close = last,
                                .key = std::move(key)});
  const std::uint64_t number = first_number_ + exchanges_.size() - 1;
  core_.handler(std::move(request),
                std::make_unique<Reply>(core_.shared_from_this(), weak_from_this(), number));
  if (last) {
    reading_ = Reading::kDiscard;
    Read();  // notices when the client goes away
  }
}

void Connection::Refuse(int status, std::string_view detail) {
  reading_ = Reading::kDiscard;
  read_deadline_.Cancel();
  exchanges_.push_back(Exchange{.close = true, .answer = core_.options.refusal(status, detail)});
  Flush();
  Read();
}

Connection::Exchange* Connection::Find(std::uint64_t number) {
  if (number < first_number_ || number - first_number_ >= exchanges_.size()) return nullptr;
  Exchange& exchange = exchanges_[number - first_number_];
  return exchange.answer || exchange.body || exchange.session ? nullptr : &exchange;
}

void Connection::Answer(std::uint64_t number, Response response) {
  Exchange* exchange = Find(number);
  if (exchange == nullptr) return;
  exchange->answer = std::move(response);
  exchange->on_gone = nullptr;
  Flush();
}

void Connection::Drop(std::uint64_t number) {
  if (Find(number) != nullptr) {
    Answer(number, core_.options.refusal(500, "the request was dropped"));
  }
}

void Connection::OnGone(std::uint64_t number, absl::AnyInvocable<void() &&> callback) {
  Exchange* exchange = Find(number);
  if (closed_ ? number >= first_number_ : exchange != nullptr && gone_) {
    std::move(callback)();
  } else if (exchange != nullptr) {
    exchange->on_gone = std::move(callback);
  }
}

Connection::Body* Connection::FindBody(std::uint64_t number) {
  if (number < first_number_ || number - first_number_ >= exchanges_.size()) return nullptr;
  return exchanges_[number - first_number_].body.get();
}

void Connection::BeginStream(std::uint64_t number, Response head,
                             absl::AnyInvocable<void() &&> gone) {
  Exchange* exchange = Find(number);
  if (exchange == nullptr) return std::move(gone)();
  exchange->answer = std::move(head);
  exchange->body = std::make_unique<Body>();
  exchange->body->chunked = !exchange->http10 && !exchange->head;
  exchange->body->closed = exchange->head;
  exchange->body->finished = exchange->head;
  exchange->close = true;
  exchange->on_gone = std::move(gone);
  if (gone_ || draining_ || exchange->head) std::exchange(exchange->on_gone, nullptr)();
  // What the client sends from now on is read only to notice its end.
  reading_ = Reading::kDiscard;
  read_deadline_.Cancel();
  held_.reset();
  Flush();
  Read();
}

void Connection::Write(std::uint64_t number, Piece piece) {
  Body* body = FindBody(number);
  if (body == nullptr || body->closed) return;
  body->pieces.push_back(std::move(piece));
  Flush();
}

void Connection::EndStream(std::uint64_t number, bool whole) {
  Body* body = FindBody(number);
  if (body == nullptr || body->closed) return;
  if (!whole) return Close();
  exchanges_[number - first_number_].on_gone = nullptr;
  body->closed = true;
  Flush();
}

std::shared_ptr<WebSocketSession> Connection::MakeSession(WebSocketEvents events) {
  return std::make_shared<WebSocketSession>(socket_, shared_from_this(), core_.options,
                                            std::move(events));
}

void Connection::Upgrade(std::uint64_t number, std::shared_ptr<WebSocketSession> session,
                         Headers headers) {
  Exchange* exchange = Find(number);
  if (exchange == nullptr || draining_ || reading_ != Reading::kUpgrade) {
    session->Cut(draining_ ? kCloseGoingAway : kCloseLost);
    if (exchange != nullptr)
      Answer(number, core_.options.refusal(draining_ ? 503 : 500, "no WebSocket can begin here"));
    return;
  }
  exchange->on_gone = nullptr;
  exchange->session = std::move(session);
  exchange->session_headers = std::move(headers);
  Flush();
}

void Connection::StartSession() {
  Exchange exchange = std::move(exchanges_.front());
  exchanges_.pop_front();
  ++first_number_;
  read_deadline_.Cancel();
  session_ = std::move(exchange.session);
  session_->Start(exchange.key, std::move(exchange.session_headers), [self = weak_from_this()] {
    if (const auto connection = self.lock()) connection->Close();
  });
}

void Connection::Flush() {
  if (writing_ || closed_ || exchanges_.empty()) return;
  if (exchanges_.front().session) return StartSession();
  if (!exchanges_.front().answer) {
    WriteBody();
    return;
  }
  const Exchange& exchange = exchanges_.front();
  Response response = *std::move(exchanges_.front().answer);
  head_ = ResponseHead(response, {.close = exchange.close,
                                  .http10 = exchange.http10,
                                  .chunked = exchange.body && exchange.body->chunked,
                                  .streamed = exchange.body != nullptr,
                                  .date = SystemClock().Now()});
  exchanges_.front().answer.reset();
  const bool bodiless = exchange.head || exchange.body || !MayHaveBody(response.status);
  body_ = bodiless ? std::string() : std::move(response.body);
  StartWrite();
}

// Sends the next piece of the front exchange's body, or its end. False when there is nothing to send.
bool Connection::WriteBody() {
  Body* body = exchanges_.front().body.get();
  if (body == nullptr || body->finished || (body->pieces.empty() && !body->closed)) return false;
  head_.clear();
  body_.clear();
  if (body->pieces.empty()) {
    body->finished = true;
    if (body->chunked) head_ = "0\r\n\r\n";
  } else {
    body->sending = true;
    body->pieces.front().StopWaiting();
    if (body->chunked) {
      head_ = StrCat(absl::Hex(body->pieces.front().bytes().size()), "\r\n");
      tail_ = "\r\n";
    }
  }
  StartWrite();
  return true;
}

void Connection::SendContinue() {
  writing_continue_ = true;
  head_ = "HTTP/1.1 100 Continue\r\n\r\n";
  body_.clear();
  StartWrite();
}

void Connection::StartWrite() {
  writing_ = true;
  written_ = 0;
  WriteSome();
}

void Connection::WriteSome() {
  write_deadline_.Set(core_.options.write_timeout, [self = shared_from_this()] { self->Close(); });
  const Body* stream = exchanges_.empty() ? nullptr : exchanges_.front().body.get();
  const std::string_view body = stream != nullptr && stream->sending
                                    ? stream->pieces.front().bytes()
                                    : std::string_view(body_);
  const std::size_t of_head = std::min(written_, head_.size());
  const std::size_t of_body = std::min(written_ - of_head, body.size());
  const std::size_t of_tail = written_ - of_head - of_body;
  const std::size_t whole = head_.size() + body.size() + tail_.size();
  const std::array<asio::const_buffer, 3> rest = {
      asio::buffer(head_.data() + of_head, head_.size() - of_head),
      asio::buffer(body.data() + of_body, body.size() - of_body),
      asio::buffer(tail_.data() + of_tail, tail_.size() - of_tail)};
  socket_.async_write_some(
      rest, [self = shared_from_this(), whole](const error_code& error, std::size_t bytes) {
        if (self->closed_) return;
        if (error) return self->Close();
        self->written_ += bytes;
        self->written_ == whole ? self->OnWritten() : self->WriteSome();
      });
}

void Connection::OnWritten() {
  write_deadline_.Cancel();
  writing_ = false;
  body_ = std::string();
  tail_ = {};
  if (Body* body = exchanges_.empty() ? nullptr : exchanges_.front().body.get();
      body != nullptr && !writing_continue_ && !body->finished) {
    if (std::exchange(body->sending, false)) {
      Piece piece = std::move(body->pieces.front());
      body->pieces.pop_front();
      piece.Sent();
    }
    WriteBody();
    return;
  }
  if (!std::exchange(writing_continue_, false)) {
    const bool last = exchanges_.front().close;
    exchanges_.pop_front();
    ++first_number_;
    if (last || (ended_ && exchanges_.empty())) return Finish();
    // No WebSocket came of it.
    if (reading_ == Reading::kUpgrade && exchanges_.empty()) reading_ = Reading::kRequests;
  }
  Flush();
  if (reading_ == Reading::kHeld && MayRun(held_->request)) {
    reading_ = Reading::kRequests;
    Incoming incoming = *std::move(held_);
    held_.reset();
    Run(std::move(incoming));
  }
  Advance();
}

void Connection::StartDrain() {
  draining_ = true;
  if (session_) return session_->Close(kCloseGoingAway, "the server stops");
  for (Exchange& exchange : exchanges_) {
    if (exchange.body && exchange.on_gone) std::exchange(exchange.on_gone, nullptr)();
  }
  if (reading_ == Reading::kUpgrade) exchanges_.back().close = true;
  // A request that has begun to arrive is under way: it runs, and its answer is the last one.
  if (closed_ || reading_ != Reading::kRequests || progress_ != Progress::kIdle) return;
  if (exchanges_.empty()) return Close();
  exchanges_.back().close = true;
  reading_ = Reading::kDiscard;
}

void Connection::Finish() {
  if (ended_) return Close();
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  reading_ = Reading::kDiscard;
  read_deadline_.Set(kLinger, [self = shared_from_this()] { self->Close(); });
  Read();
}

void Connection::Close() {
  if (closed_) return;
  closed_ = true;
  read_deadline_.Cancel();
  write_deadline_.Cancel();
  grace_.Cancel();
  error_code ignored;
  socket_.close(ignored);
  Gone();
  if (session_) std::exchange(session_, nullptr)->Cut(kCloseLost);
  for (Exchange& exchange : exchanges_) {
    if (exchange.session) exchange.session->Cut(kCloseLost);
  }
  exchanges_.clear();
  core_.connections.Remove(this);  // the caller still holds a reference
}

void Connection::Gone() {
  gone_ = true;
  for (Exchange& exchange : exchanges_) {
    if (exchange.on_gone) std::move(exchange.on_gone)();
    exchange.on_gone = nullptr;
  }
}

}  // namespace god33::http
