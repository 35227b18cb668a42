// bench_fan_out: many subscribers that each want some of the events. It prints the deliveries, their bytes,
// and the seconds from the first to the last.

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdio>
#include <memory>
#include <thread>

#include "base/strings.h"
#include "tests/bench/address.h"
#include "tests/bench/command.h"

namespace god33::bench {
namespace {

constexpr char kUsage[] = R"(usage: bench_fan_out ACTION
  subscribe GATEWAY CLIENTS EVENTS   WebSocket clients, of which CLIENTS/100 follow each of the first 100
                                     agents of bench_bus and bench_log; says `subscribed` first
  bare CLIENTS EVENTS BYTES          EVENTS times, BYTES are written to CLIENTS/100 sockets by writev
)";

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using asio::ip::tcp;

constexpr std::size_t kAgents = 100;

void AllowManySockets() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void Print(std::size_t deliveries, std::size_t bytes, double seconds) {
  std::printf("{\"deliveries\":%zu,\"bytes\":%zu,\"seconds\":%.3f}\n", deliveries, bytes, seconds);
}

// All clients together; one thread.
struct Audience {
  std::size_t subscribed = 0;
  std::size_t deliveries = 0;
  std::size_t bytes = 0;
  Stopwatch since_first;
};

class Subscriber {
 public:
  Subscriber(asio::io_context& context, const Address& gateway, std::size_t agent,
             Audience& audience)
      : socket_(context), audience_(audience) {
    socket_.next_layer().connect({asio::ip::make_address(gateway.host), gateway.port});
    socket_.handshake("bench", StrCat("/api/v1/events/stream?agent_id=letta-python-dev-", agent));
  }

  void Read() {
    buffer_.clear();
    socket_.async_read(buffer_, [this](const beast::error_code& error, std::size_t size) {
      if (error) Fail(absl::UnavailableError(error.message()));
      Take(size);
      Read();
    });
  }

 private:
  void Take(std::size_t size) {
    constexpr std::string_view kEvent = R"({"type":"event")";
    const auto* text = static_cast<const char*>(buffer_.data().data());
    if (std::string_view(text, size).starts_with(kEvent)) {
      if (audience_.deliveries++ == 0) audience_.since_first.Restart();
      audience_.bytes += size;
    } else {
      audience_.subscribed += std::string_view(text, size).starts_with(R"({"type":"subscribed")");
    }
  }

  websocket::stream<tcp::socket> socket_;
  beast::flat_buffer buffer_;
  Audience& audience_;
};

void Subscribe(const Address& gateway, std::size_t clients, std::size_t events) {
  asio::io_context context;
  Audience audience;
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  for (std::size_t i = 0; i < clients; ++i) {
    subscribers.push_back(std::make_unique<Subscriber>(context, gateway, i % kAgents, audience));
    subscribers.back()->Read();
  }
  while (audience.subscribed < clients) context.run_one();
  std::puts("subscribed");
  std::fflush(stdout);
  const std::size_t expected = events * (clients / kAgents);
  while (audience.deliveries < expected) context.run_one();
  Print(audience.deliveries, audience.bytes, audience.since_first.Seconds());
  std::fflush(stdout);
  std::_Exit(0);  // nobody has to say goodbye a thousand times
}

// Reads from all of them until `bytes` have come.
void ReadAll(const std::vector<tcp::socket>& sockets, std::size_t bytes) {
  const int poll = epoll_create1(0);
  for (const tcp::socket& socket : sockets) {
    const int fd = const_cast<tcp::socket&>(socket).native_handle();
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
  }
  std::vector<char> buffer(1 << 16);
  std::vector<epoll_event> ready(256);
  while (bytes > 0) {
    const int count = epoll_wait(poll, ready.data(), static_cast<int>(ready.size()), 10'000);
    if (count <= 0) Fail(absl::DeadlineExceededError("nothing came for 10 s"));
    for (int i = 0; i < count; ++i) {
      const ssize_t size =
          read(ready[static_cast<std::size_t>(i)].data.fd, buffer.data(), buffer.size());
      if (size <= 0) Fail(absl::UnavailableError("a socket was closed"));
      bytes -= std::min(bytes, static_cast<std::size_t>(size));
    }
  }
  close(poll);
}

// A head and a body, as a frame has.
void WriteFrame(int socket, std::string& body) {
  char head[4] = {};
  iovec parts[2] = {{head, sizeof(head)}, {body.data(), body.size()}};
  const auto size = static_cast<ssize_t>(sizeof(head) + body.size());
  if (writev(socket, parts, 2) != size) Fail(absl::UnavailableError("a write was cut short"));
}

void Bare(std::size_t clients, std::size_t events, std::size_t bytes) {
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  std::vector<tcp::socket> readers;
  std::vector<tcp::socket> writers;
  for (std::size_t i = 0; i < clients; ++i) {
    readers.emplace_back(context).connect(acceptor.local_endpoint());
    writers.push_back(acceptor.accept());
    writers.back().set_option(tcp::no_delay(true));
  }
  const std::size_t each = clients / kAgents;
  const std::size_t frame = bytes + 4;
  const Stopwatch watch;
  std::thread reading([&] { ReadAll(readers, events * each * frame); });
  std::string body(bytes, 'x');
  for (std::size_t i = 0; i < events; ++i) {
    for (std::size_t k = 0; k < each; ++k) {
      WriteFrame(writers[i % kAgents + k * kAgents].native_handle(), body);
    }
  }
  reading.join();
  Print(events * each, events * each * frame, watch.Seconds());
}

int Main(int argc, char** argv) {
  Arguments arguments(argc, argv, kUsage);
  AllowManySockets();
  const std::string action = arguments.Text();
  if (action == "subscribe") {
    const Address gateway = Address::Parse(arguments.Text());
    const std::size_t clients = arguments.Count();
    const std::size_t events = arguments.Count();
    arguments.End();
    Subscribe(gateway, clients, events);
  } else if (action == "bare") {
    const std::size_t clients = arguments.Count();
    const std::size_t events = arguments.Count();
    const std::size_t bytes = arguments.Count();
    arguments.End();
    Bare(clients, events, bytes);
  } else {
    arguments.Usage();
  }
  return 0;
}

}  // namespace
}  // namespace god33::bench

int main(int argc, char** argv) {
  return god33::bench::Main(argc, argv);
}
