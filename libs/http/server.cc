#include "http/server.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <charconv>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/strings.h"
#include "http/connection.h"
#include "http/core.h"
#include "http/deadline.h"

namespace god33::http {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
namespace {

// Beast's fields hold at most 64 KiB each; a trailer may be as long as this and one read.
constexpr std::size_t kMostHeaderBytes = 32'000;

// After an accept that failed, for want of file descriptors as a rule.
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);

// Closing takes no longer, unless a handler blocks its thread.
constexpr absl::Duration kCloseWait = absl::Seconds(5);

struct HostPort {
  std::string host;
  std::string port;
};

std::optional<HostPort> SplitHostPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc() || rest != end) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return HostPort{std::string(host), std::string(text.substr(colon + 1))};
}

error_code Listen(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    error_code ignored;
    acceptor.close(ignored);
  }
  return error;
}

absl::Status Listen(tcp::acceptor& acceptor, const std::string& address) {
  const auto host_port = SplitHostPort(address);
  error_code error = asio::error::invalid_argument;
  if (host_port) {
    tcp::resolver resolver(acceptor.get_executor());
    const auto found =
        resolver.resolve(host_port->host, host_port->port, tcp::resolver::passive, error);
    for (const auto& entry : found) {
      error = Listen(acceptor, entry.endpoint());
      if (!error) return absl::OkStatus();
    }
    if (!found.empty()) {
      return absl::UnavailableError(StrCat("can't listen on ", address, ": ", error.message()));
    }
  }
  return InvalidArgument(
      StrCat("expected host:port to listen on, got \"", address, "\": ", error.message()));
}

}  // namespace

bool Connections::Add(const std::shared_ptr<Connection>& connection) {
  absl::MutexLock lock(&mutex_);
  if (closed_ || open_.size() >= limit_) return false;
  open_.emplace(connection.get(), connection);
  return true;
}

void Connections::Remove(const Connection* connection) {
  absl::MutexLock lock(&mutex_);
  open_.erase(connection);
}

void Connections::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

std::vector<std::shared_ptr<Connection>> Connections::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::shared_ptr<Connection>> list;
  list.reserve(open_.size());
  for (const auto& [unused, connection] : open_) list.push_back(connection);
  return list;
}

bool Connections::AwaitNone(absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(this, &Connections::none), timeout);
}

class Server::Impl {
 public:
  Impl(Options options, Handler handler)
      : core_(std::make_shared<Core>(std::move(options), std::move(handler))),
        acceptor_(asio::make_strand(core_->io)),
        accept_pause_(acceptor_.get_executor()),
        work_(asio::make_work_guard(core_->io)) {}

  ~Impl() { Stop(absl::ZeroDuration()); }

  absl::Status Start() {
    if (absl::Status status = Listen(acceptor_, core_->options.listen); !status.ok()) return status;
    const tcp::endpoint bound = acceptor_.local_endpoint();
    const std::string host = bound.address().to_string();
    address_ = bound.address().is_v6() ? StrCat("[", host, "]:", bound.port())
                                       : StrCat(host, ":", bound.port());
    Accept();
    for (std::size_t i = 0; i < std::max<std::size_t>(1, core_->options.threads); ++i) {
      threads_.emplace_back([core = core_.get()] { core->io.run(); });
    }
    return absl::OkStatus();
  }

  const std::string& address() const { return address_; }

  void Stop(absl::Duration drain) {
    absl::MutexLock lock(&stop_mutex_);
    if (std::exchange(stopped_, true)) return;
    asio::post(acceptor_.get_executor(), [this] { StopAccepting(); });
    core_->connections.Close();
    for (const auto& connection : core_->connections.List()) connection->Drain();
    if (!core_->connections.AwaitNone(drain)) {
      for (const auto& connection : core_->connections.List()) connection->Abort();
      core_->connections.AwaitNone(kCloseWait);
    }
    work_.reset();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Accept() {
    acceptor_.async_accept(asio::any_io_executor(asio::make_strand(core_->io)),
                           [this](const error_code& error, tcp::socket socket) {
                             OnAccept(error, std::move(socket));
                           });
  }

  void OnAccept(const error_code& error, tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (error) return accept_pause_.Set(kAcceptPause, [this] { Accept(); });
    // One that is not added is closed with its socket.
    const auto connection = std::make_shared<Connection>(std::move(socket), *core_);
    if (core_->connections.Add(connection)) connection->Start();
    Accept();
  }

  void StopAccepting() {
    error_code ignored;
    acceptor_.close(ignored);
    accept_pause_.Cancel();
  }

  const std::shared_ptr<Core> core_;
  tcp::acceptor acceptor_;
  Deadline accept_pause_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::string address_;
  std::vector<std::thread> threads_;
  absl::Mutex stop_mutex_;
  bool stopped_ ABSL_GUARDED_BY(stop_mutex_) = false;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Options options, Handler handler) {
  if (options.max_header_bytes > kMostHeaderBytes) {
    return InvalidArgument(StrCat("max_header_bytes must not be above ", kMostHeaderBytes));
  }
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler));
  if (absl::Status status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() = default;

std::string Server::address() const {
  return impl_->address();
}

void Server::Stop(absl::Duration drain) {
  impl_->Stop(drain);
}

}  // namespace god33::http
