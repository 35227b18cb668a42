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

  void OnGone(absl::AnyInvocable<void() &&> callback) override {
    if (const auto connection = connection_.lock()) {
      asio::dispatch(connection->executor(),
                     [connection, number = number_, callback = std::move(callback)]() mutable {
                       connection->OnGone(number, std::move(callback));
                     });
    } else if (!core_->io.stopped()) {
      asio::post(core_->io, [callback = std::move(callback)]() mutable { std::move(callback)(); });
    }
  }

 private:
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
  if (read_pending_ || ended_ || closed_) return;
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
  exchanges_.push_back(Exchange{.head = request.method == "HEAD",
                                .safe = IsSafe(request.method),
                                .http10 = incoming.http10,
                                .close = last});
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
  return exchange.answer ? nullptr : &exchange;
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

void Connection::Flush() {
  if (writing_ || closed_ || exchanges_.empty() || !exchanges_.front().answer) return;
  const Exchange& exchange = exchanges_.front();
  Response response = *std::move(exchanges_.front().answer);
  head_ = ResponseHead(
      response, {.close = exchange.close, .http10 = exchange.http10, .date = SystemClock().Now()});
  const bool bodiless = exchange.head || !MayHaveBody(response.status);
  body_ = bodiless ? std::string() : std::move(response.body);
  StartWrite();
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
  const std::size_t of_head = std::min(written_, head_.size());
  const std::size_t of_body = written_ - of_head;
  const std::array<asio::const_buffer, 2> rest = {
      asio::buffer(head_.data() + of_head, head_.size() - of_head),
      asio::buffer(body_.data() + of_body, body_.size() - of_body)};
  socket_.async_write_some(
      rest, [self = shared_from_this()](const error_code& error, std::size_t bytes) {
        if (self->closed_) return;
        if (error) return self->Close();
        self->written_ += bytes;
        const bool all = self->written_ == self->head_.size() + self->body_.size();
        all ? self->OnWritten() : self->WriteSome();
      });
}

void Connection::OnWritten() {
  write_deadline_.Cancel();
  writing_ = false;
  body_ = std::string();
  if (!std::exchange(writing_continue_, false)) {
    const bool last = exchanges_.front().close;
    exchanges_.pop_front();
    ++first_number_;
    if (last || (ended_ && exchanges_.empty())) return Finish();
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
