#include "http/web_socket.h"

#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/strings.h"
#include "http/server.h"
#include "json/text.h"
#include "testing/random.h"
#include "unit/http/frames.h"

namespace god33::http {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);

// A server whose WebSockets send back what they get, and which notes how they end.
class Echo {
 public:
  explicit Echo(Options options = {}) {
    options.threads = 2;
    auto server = Server::Start(std::move(options), [this](Request request, auto responder) {
      Handle(request, std::move(responder));
    });
    REQUIRE(server.ok());
    server_ = *std::move(server);
  }
  ~Echo() { server_.reset(); }

  std::string address() const { return server_->address(); }
  void Stop() { server_->Stop(kPatience); }

  // Waits until so many have ended; returns the last one's code.
  int AwaitEnd(std::size_t count = 1) {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this, count] { return codes_.size() >= count; };
    REQUIRE(mutex_.AwaitWithTimeout(absl::Condition(&ended), kPatience));
    return codes_.back();
  }

  std::shared_ptr<WebSocket> AwaitSocket() {
    absl::MutexLock lock(&mutex_);
    const auto open = [this] { return !sockets_.empty(); };
    REQUIRE(mutex_.AwaitWithTimeout(absl::Condition(&open), kPatience));
    return sockets_.begin()->second;
  }

 private:
  void Handle(const Request& request, std::unique_ptr<Responder> responder) {
    if (!WantsWebSocket(request)) return responder->Send({.body = "plain"});
    if (const auto bad = CheckUpgrade(request)) {
      return responder->Send(
          {.status = bad->status, .headers = {{"Upgrade", "websocket"}}, .body = bad->detail});
    }
    absl::MutexLock lock(&mutex_);
    const int number = ++last_;
    sockets_[number] = responder->Upgrade(
        {{"X-Test", "yes"}},
        {.message =
             [this, number](std::string text) {
               absl::MutexLock message_lock(&mutex_);
               static_cast<void>(sockets_[number]->Send(std::move(text), nullptr));
             },
         .gone =
             [this, number](int code) {
               absl::MutexLock gone_lock(&mutex_);
               codes_.push_back(code);
               sockets_.erase(number);
             }});
  }

  absl::Mutex mutex_;
  int last_ = 0;
  std::map<int, std::shared_ptr<WebSocket>> sockets_;
  std::vector<int> codes_;
  std::unique_ptr<Server> server_;
};

Client Connect(const Echo& echo) {
  Client client(echo.address());
  client.Send(kUpgrade);
  REQUIRE(client.Receive(true).status == 101);
  return client;
}

TEST_CASE("the handshake is answered as RFC 6455 says") {
  Echo echo;
  Client client(echo.address());
  client.Send(kUpgrade);
  const Response response = client.Receive(true);
  CHECK(response.status == 101);
  CHECK(Find(response.headers, "Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(Find(response.headers, "X-Test") == "yes");
}

TEST_CASE("a handshake that is wrong is refused, and the connection goes on") {
  const auto [from, to, status] = GENERATE(table<std::string, std::string, int>({
      {"GET /ws", "POST /ws", 405},
      {"Connection: Upgrade", "Connection: keep-alive", 400},
      {"Version: 13", "Version: 8", 426},
      {"Sec-WebSocket-Version: 13\r\n", "", 426},
      {"dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400},
      {"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400},
  }));
  Echo echo;
  Client client(echo.address());
  std::string request = kUpgrade;
  request.replace(request.find(from), from.size(), to);
  client.Send(request);
  const Response response = client.Receive();
  CHECK(response.status == status);
  CHECK(Find(response.headers, "Connection") == "upgrade");
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.Receive().body == "plain");
}

TEST_CASE("HTTP/1.0 gets no WebSocket") {
  Echo echo;
  Client client(echo.address());
  std::string request = kUpgrade;
  request.replace(request.find("HTTP/1.1"), 8, "HTTP/1.0");
  client.Send(request);
  CHECK(client.Receive().status == 400);
}

TEST_CASE("frames behind a handshake that is not answered are refused") {
  Echo echo;
  Client client(echo.address());
  client.Send(kUpgrade + Encode({.payload = "early"}));
  CHECK(client.Receive().status == 400);
  CHECK(client.ReceiveAll().empty());
}

TEST_CASE("a handshake waits for the answers before it") {
  Echo echo;
  Client client(echo.address());
  client.Send(std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n") + kUpgrade);
  CHECK(client.Receive().body == "plain");
  CHECK(client.Receive(true).status == 101);
  client.Send(Encode({.payload = "hello"}));
  CHECK(ReceiveText(client) == "hello");
}

TEST_CASE("messages come back whole, also in fragments with control frames between") {
  Echo echo;
  Client client = Connect(echo);
  client.Send(Encode({.payload = "one"}) + Encode({.payload = ""}));
  CHECK(ReceiveText(client) == "one");
  CHECK(ReceiveFrame(client).payload.empty());
  // "ü" is cut in the middle.
  client.Send(Encode({.payload = "gr\xc3", .fin = false}) +
              Encode({.opcode = kPing, .payload = "are you there"}) +
              Encode({.opcode = kContinuation, .payload = "\xbc", .fin = false}) +
              Encode({.opcode = kPong}) + Encode({.opcode = kContinuation, .payload = "n"}));
  const Frame pong = ReceiveFrame(client);
  CHECK(pong.opcode == kPong);
  CHECK(pong.payload == "are you there");
  CHECK_FALSE(pong.masked);
  CHECK(ReceiveText(client) == "gr\xc3\xbcn");
  const std::string longest(64 << 10, 'x');
  client.Send(Encode({.payload = longest}));
  CHECK(ReceiveText(client) == longest);
}

TEST_CASE("what breaks the rules closes with the right code") {
  const auto [what, bytes, code] = GENERATE(table<std::string, std::string, int>({
      {"unmasked", Encode({.payload = "x", .masked = false}), 1002},
      {"reserved bit", Encode({.payload = "x", .reserved = 4}), 1002},
      {"reserved opcode", Encode({.opcode = 3, .payload = "x"}), 1002},
      {"reserved control", Encode({.opcode = 11}), 1002},
      {"fragmented ping", Encode({.opcode = kPing, .fin = false}), 1002},
      {"long ping", Encode({.opcode = kPing, .payload = std::string(126, 'x')}), 1002},
      {"continuation of nothing", Encode({.opcode = kContinuation, .payload = "x"}), 1002},
      {"text in a text", Encode({.payload = "x", .fin = false}) + Encode({.payload = "y"}), 1002},
      {"close of one byte", Encode({.opcode = kClose, .payload = "x"}), 1002},
      {"close with 1005", CloseFrame(1005), 1002},
      {"binary", Encode({.opcode = kBinary, .payload = "x"}), 1003},
      {"not UTF-8", Encode({.payload = "\xff"}), 1007},
      {"half a character at the end", Encode({.payload = "\xc3"}), 1007},
      {"surrogate", Encode({.payload = "\xed\xa0\x80"}), 1007},
      {"too long", Encode({.payload = std::string((64 << 10) + 1, 'x')}), 1009},
      {"too long in fragments",
       Encode({.payload = std::string(40'000, 'x'), .fin = false}) +
           Encode({.opcode = kContinuation, .payload = std::string(40'000, 'x')}),
       1009},
  }));
  CAPTURE(what);
  Echo echo;
  Client client = Connect(echo);
  client.Send(bytes);
  CHECK(ReceiveClose(client) == code);
  client.CloseSending();
  CHECK(echo.AwaitEnd() == code);
}

TEST_CASE("a client's close is answered with its code") {
  Echo echo;
  Client client = Connect(echo);
  client.Send(CloseFrame(3999));
  CHECK(ReceiveClose(client) == 3999);
  CHECK(client.ReceiveAll().empty());
  CHECK(echo.AwaitEnd() == 3999);
}

TEST_CASE("what is no code of a close is not passed on as one") {
  Echo echo;
  Client client = Connect(echo);
  client.Send(CloseFrame(57989));
  CHECK(echo.AwaitEnd() == kCloseProtocolError);
}

TEST_CASE("a client that vanishes ends with 1006") {
  Echo echo;
  Client client = Connect(echo);
  client.Reset();
  CHECK(echo.AwaitEnd() == kCloseLost);
}

TEST_CASE("the server pings, and gives a silent client up") {
  Echo echo({.web_socket = {.ping_interval = absl::Milliseconds(20),
                            .silence_timeout = absl::Seconds(2)}});
  Client client = Connect(echo);
  // As long as pongs come, it stays.
  for (int i = 0; i < 20; ++i) {
    REQUIRE(ReceiveFrame(client).opcode == kPing);
    client.Send(Encode({.opcode = kPong}));
  }
  CHECK(ReceiveClose(client) == kCloseLost);
  CHECK(echo.AwaitEnd() == kCloseLost);
}

TEST_CASE("the handler closes behind what it has sent") {
  Echo echo;
  Client client = Connect(echo);
  const auto socket = echo.AwaitSocket();
  CHECK(socket->Send("last", nullptr));
  socket->Close(kClosePolicy, "enough");
  CHECK(ReceiveText(client) == "last");
  const Frame close = ReceiveFrame(client);
  CHECK(close.opcode == kClose);
  CHECK(close.payload ==
        "\x03\xf0"
        "enough");
  client.Send(CloseFrame(1008));
  CHECK(echo.AwaitEnd() == kClosePolicy);
}

TEST_CASE("a client that ignores the closing handshake is cut off") {
  Echo echo({.web_socket = {.close_timeout = absl::Milliseconds(50)}});
  Client client = Connect(echo);
  echo.AwaitSocket()->Close(kClosePolicy, "");
  CHECK(ReceiveClose(client) == kClosePolicy);
  CHECK(client.ReceiveAll().empty());
}

TEST_CASE("a long message is fragmented so that pings get through, and says when it is written") {
  Echo echo;
  Client client = Connect(echo);
  const std::string text(10 << 20, 'x');
  absl::Notification written;
  CHECK(echo.AwaitSocket()->Send(text, [&written] { written.Notify(); }));
  CHECK(ReceiveText(client) == text);
  CHECK(written.WaitForNotificationWithTimeout(kPatience));
}

TEST_CASE("what waits for a client that reads nothing is bounded") {
  Echo echo;
  Client client = Connect(echo);
  const auto socket = echo.AwaitSocket();
  REQUIRE(socket->Send(std::string(32 << 20, 'x'), [] {}));  // more than the kernel takes
  int taken = 0;
  while (socket->Send(std::string(1000, 'y'), nullptr)) REQUIRE(++taken <= 300);
  CHECK(taken > 200);
}

TEST_CASE("a client that reads nothing is closed") {
  Echo echo({.write_timeout = absl::Milliseconds(50)});
  Client client = Connect(echo);
  REQUIRE(echo.AwaitSocket()->Send(std::string(32 << 20, 'x'), nullptr));
  CHECK(echo.AwaitEnd() == kCloseLost);
}

TEST_CASE("a stop closes WebSockets with 1001") {
  Echo echo;
  Client client = Connect(echo);
  std::thread stop([&echo] { echo.Stop(); });
  CHECK(ReceiveClose(client) == kCloseGoingAway);
  client.Send(CloseFrame(1001));
  CHECK(client.ReceiveAll().empty());
  stop.join();
  CHECK(echo.AwaitEnd() == kCloseGoingAway);
}

TEST_CASE("a stop does not wait for clients that don't close") {
  Echo echo({.web_socket = {.close_timeout = absl::Milliseconds(50)}});
  Client client = Connect(echo);
  echo.Stop();
  CHECK(echo.AwaitEnd() == kCloseGoingAway);
}

TEST_CASE("random frames never upset the server", "[fuzz]") {
  Echo echo;
  std::size_t ended = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    testing::Random random(seed);
    Client client = Connect(echo);
    std::string bytes;
    for (std::size_t i = random.Below(8) + 1; i > 0; --i) {
      Frame frame{.opcode = random.OneIn(4) ? static_cast<int>(random.Below(16)) : kText,
                  .fin = !random.OneIn(4),
                  .masked = !random.OneIn(10),
                  .reserved = random.OneIn(12) ? static_cast<int>(random.Below(8)) : 0};
      frame.payload = random.OneIn(8) ? random.Bytes(random.Below(200))
                                      : std::string(random.Below(70'000), 'x');
      bytes += Encode(frame);
    }
    if (random.OneIn(3)) bytes.resize(random.Below(bytes.size()));
    if (random.OneIn(3) && !bytes.empty()) bytes[random.Below(bytes.size())] ^= 1;
    client.Send(bytes);
    client.CloseSending();
    for (Frame frame = ReceiveFrame(client); frame.opcode != -1; frame = ReceiveFrame(client)) {
      CHECK_FALSE(frame.masked);
      if (frame.opcode == kText) CHECK(json::ValidPrefix(frame.payload) == frame.payload.size());
    }
    echo.AwaitEnd(++ended);
  }
  Client last = Connect(echo);
  last.Send(Encode({.payload = "still here"}));
  CHECK(ReceiveText(last) == "still here");
}

}  // namespace
}  // namespace god33::http
