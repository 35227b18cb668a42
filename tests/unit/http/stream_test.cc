#include <catch2/catch.hpp>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/strings.h"
#include "http/server.h"
#include "unit/http/client.h"

namespace god33::http {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// A server that begins a stream on each request, and leaves it to the test.
class Source {
 public:
  explicit Source(Options options = {}) {
    auto server = Server::Start(std::move(options), [this](Request, auto responder) {
      absl::MutexLock lock(&mutex_);
      stream_ = responder->Stream({.headers = {{"Content-Type", "text/event-stream"}}}, [this] {
        if (on_gone) on_gone();
        gone.Notify();
      });
    });
    REQUIRE(server.ok());
    server_ = *std::move(server);
  }
  ~Source() {
    server_.reset();
    stream_.reset();
  }

  std::string address() const { return server_->address(); }
  Server& server() { return *server_; }

  BodyStream& Await() {
    absl::MutexLock lock(&mutex_);
    const auto begun = [this] { return stream_ != nullptr; };
    REQUIRE(mutex_.AwaitWithTimeout(absl::Condition(&begun), kPatience));
    return *stream_;
  }

  void Drop() { stream_.reset(); }

  absl::Notification gone;
  std::function<void()> on_gone;

 private:
  absl::Mutex mutex_;
  std::unique_ptr<BodyStream> stream_;
  std::unique_ptr<Server> server_;
};

TEST_CASE("a body in pieces goes out in chunks") {
  Source source;
  Client client(source.address());
  client.Send(kGet);
  const Response head = client.Receive();
  CHECK(head.status == 200);
  CHECK(Find(head.headers, "Transfer-Encoding") == "chunked");
  CHECK(Find(head.headers, "Content-Length").empty());
  CHECK(Find(head.headers, "Connection") == "close");
  absl::Notification written;
  CHECK(source.Await().Write("hello", [&written] { written.Notify(); }));
  CHECK(written.WaitForNotificationWithTimeout(kPatience));
  CHECK(client.ReceiveBytes(10) == "5\r\nhello\r\n");
  CHECK(source.Await().Write(std::string(20, 'x'), nullptr));
  source.Await().Close();
  CHECK(client.ReceiveAll() == "14\r\n" + std::string(20, 'x') + "\r\n0\r\n\r\n");
  CHECK_FALSE(source.gone.HasBeenNotified());
}

TEST_CASE("HTTP/1.0 gets a body in pieces up to the connection's end") {
  Source source;
  Client client(source.address());
  client.Send("GET / HTTP/1.0\r\n\r\n");
  CHECK(Find(client.Receive().headers, "Transfer-Encoding").empty());
  CHECK(source.Await().Write("hello", nullptr));
  source.Await().Close();
  CHECK(client.ReceiveAll() == "hello");
}

TEST_CASE("HEAD gets the head of a body in pieces") {
  Source source;
  Client client(source.address());
  client.Send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.Receive(true).status == 200);
  CHECK(source.gone.WaitForNotificationWithTimeout(kPatience));
  CHECK(source.Await().Write("nobody", nullptr));
  CHECK(client.ReceiveAll().empty());
}

TEST_CASE("a stream that is given up is cut, not ended") {
  Source source;
  Client client(source.address());
  client.Send(kGet);
  client.Receive();
  source.Await();
  source.Drop();
  CHECK(client.ReceiveAll().empty());
}

TEST_CASE("the producer is told of a client that went away") {
  Source source({.half_close_grace = absl::ZeroDuration()});
  Client client(source.address());
  client.Send(kGet);
  client.Receive();
  SECTION("by closing") {
    client.CloseSending();
  }
  SECTION("by a reset") {
    client.Reset();
  }
  CHECK(source.gone.WaitForNotificationWithTimeout(kPatience));
}

TEST_CASE("what waits for a client that does not read a stream is bounded, and it is closed") {
  Source source({.write_timeout = absl::Milliseconds(300)});
  Client client(source.address());
  client.Send(kGet);
  client.Receive();
  REQUIRE(source.Await().Write(std::string(32 << 20, 'x'), [] {}));
  int taken = 0;
  while (source.Await().Write(std::string(1000, 'y'), nullptr)) REQUIRE(++taken <= 300);
  CHECK(source.gone.WaitForNotificationWithTimeout(kPatience));
}

TEST_CASE("a stop tells the producer, and lets it end the stream") {
  Source source;
  source.on_gone = [&source] {
    CHECK(source.Await().Write("bye", nullptr));
    source.Await().Close();
  };
  Client client(source.address());
  client.Send(kGet);
  client.Receive();
  source.Await();
  std::thread stop([&source] { source.server().Stop(absl::InfiniteDuration()); });
  CHECK(client.ReceiveAll() == "3\r\nbye\r\n0\r\n\r\n");
  client.CloseSending();
  stop.join();
}

}  // namespace
}  // namespace god33::http
