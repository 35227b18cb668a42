// bench_http ADDRESS CLIENTS N [RATE]: N requests by GET, whose paths are lines of input, by clients that each keep a
// connection; together at most RATE a second. It prints how many there were and how long they took.

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "base/strings.h"
#include "tests/bench/address.h"
#include "tests/bench/command.h"

namespace god33::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

class Client {
 public:
  explicit Client(const Address& address) : socket_(context_) {
    socket_.connect({asio::ip::make_address(address.host), address.port});
    socket_.set_option(asio::ip::tcp::no_delay(true));
  }

  void Get(const std::string& path) {
    http::request<http::empty_body> request(http::verb::get, path, 11);
    request.set(http::field::host, "bench");
    http::write(socket_, request);
    http::response_parser<http::string_body> parser;
    parser.body_limit(boost::none);
    http::read(socket_, buffer_, parser);
    if (parser.get().result() != http::status::ok) {
      Fail(absl::UnavailableError(StrCat("GET ", path, ": ", parser.get().body())));
    }
  }

 private:
  asio::io_context context_;
  asio::ip::tcp::socket socket_;
  beast::flat_buffer buffer_;
};

int Main(int argc, char** argv) {
  Arguments arguments(argc, argv, "usage: bench_http ADDRESS CLIENTS N [RATE] < PATHS\n");
  const Address address = Address::Parse(arguments.Text());
  const std::size_t clients = arguments.Count();
  const std::size_t count = arguments.Count();
  const std::size_t rate = arguments.more() ? arguments.Count() : 0;
  arguments.End();
  const std::vector<std::string> paths = InputLines();
  if (paths.empty()) Fail(absl::InvalidArgumentError("no paths on standard input"));

  std::atomic<std::size_t> next = 0;
  absl::Mutex mutex;
  Latencies latencies;
  const Stopwatch watch;
  const auto ask = [&] {
    Client client(address);
    std::vector<double> milliseconds;
    for (std::size_t i = next++; i < count; i = next++) {
      if (rate > 0) {
        const double early = static_cast<double>(i) / static_cast<double>(rate) - watch.Seconds();
        std::this_thread::sleep_for(std::chrono::duration<double>(std::max(early, 0.0)));
      }
      const Stopwatch asked;
      client.Get(paths[i % paths.size()]);
      milliseconds.push_back(asked.Seconds() * 1000);
    }
    absl::MutexLock lock(&mutex);
    for (const double value : milliseconds) latencies.Add(value);
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < clients; ++i) threads.emplace_back(ask);
  for (std::thread& thread : threads) thread.join();
  latencies.Print(watch.Seconds());
  return 0;
}

}  // namespace
}  // namespace god33::bench

int main(int argc, char** argv) {
  return god33::bench::Main(argc, argv);
}
