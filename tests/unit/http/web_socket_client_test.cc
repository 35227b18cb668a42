#include "http/web_socket_client.h"

#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/stop.h"
#include "base/strings.h"
#include "http/server.h"
#include "testing/tcp_proxy.h"

namespace god33::http {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);

// A server that does what the path says: /echo, /big sends a message of 100,000 bytes, /mute never answers the
// request, /plain is no WebSocket, /close closes at once with 1012, /NUMBER answers with that status, /stuck
// reads one message and then none until Release.
class Site {
 public:
  explicit Site(Options options = {}) {
    options.web_socket.max_message_bytes = 32 << 20;
    auto server = Server::Start(std::move(options), [this](Request request, auto responder) {
      Handle(request, std::move(responder));
    });
    REQUIRE(server.ok());
    server_ = *std::move(server);
  }
  ~Site() { server_.reset(); }

  std::string url(const std::string& path) const {
    return StrCat("ws://", server_->address(), path);
  }
  void Release() { released_.Notify(); }
  void Stop() { server_->Stop(kPatience); }

  std::string Authorization() {
    absl::MutexLock lock(&mutex_);
    return authorization_;
  }

  // The code that the last of `count` WebSockets ended with.
  int AwaitEnd(std::size_t count = 1) {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this, count] { return codes_.size() >= count; };
    REQUIRE(mutex_.AwaitWithTimeout(absl::Condition(&ended), kPatience));
    return codes_.back();
  }

 private:
  void Handle(const Request& request, std::unique_ptr<Responder> responder) {
    absl::MutexLock lock(&mutex_);
    authorization_ = Find(request.headers, "Authorization");
    if (request.path == "/mute") return mute_.push_back(std::move(responder));
    if (request.path == "/plain" || CheckUpgrade(request))
      return responder->Send({.body = "plain"});
    if (request.path == "/401") return responder->Send({.status = 401});
    if (request.path == "/503") return responder->Send({.status = 503});
    const int number = ++last_;
    const bool stuck = request.path == "/stuck";
    const std::shared_ptr<WebSocket> socket = responder->Upgrade(
        {}, {.message =
                 [this, number, stuck](std::string text) {
                   if (stuck) released_.WaitForNotification();
                   absl::MutexLock message_lock(&mutex_);
                   const auto found = sockets_.find(number);
                   if (found == sockets_.end()) return;
                   static_cast<void>(found->second->Send(std::move(text), [] {}));
                 },
             .gone =
                 [this, number](int code) {
                   absl::MutexLock gone_lock(&mutex_);
                   codes_.push_back(code);
                   sockets_.erase(number);
                 }});
    if (request.path == "/close") socket->Close(kCloseServiceRestart, "restarting");
    if (request.path == "/big") static_cast<void>(socket->Send(std::string(100'000, 'x'), [] {}));
    sockets_[number] = socket;
  }

  absl::Mutex mutex_;
  absl::Notification released_;
  int last_ = 0;
  std::string authorization_;
  std::vector<std::unique_ptr<Responder>> mute_;
  std::map<int, std::shared_ptr<WebSocket>> sockets_;
  std::vector<int> codes_;
  std::unique_ptr<Server> server_;
};

// A client that keeps what comes.
class Peer {
 public:
  absl::Status Connect(WebSocketClientOptions options) {
    auto client =
        WebSocketClient::Connect(std::move(options), {.message =
                                                          [this](std::string text) {
                                                            absl::MutexLock lock(&mutex_);
                                                            texts_.push_back(std::move(text));
                                                            return answer_;
                                                          },
                                                      .gone =
                                                          [this](const absl::Status& why) {
                                                            absl::MutexLock lock(&mutex_);
                                                            ends_.push_back(why);
                                                          }});
    if (!client.ok()) return client.status();
    client_ = *std::move(client);
    return absl::OkStatus();
  }

  void AnswerWith(absl::Status status) {
    absl::MutexLock lock(&mutex_);
    answer_ = std::move(status);
  }
  absl::Status Send(std::string text) { return client_->Send(std::move(text)); }
  void Close() { client_.reset(); }

  std::string AwaitText(std::size_t count = 1) {
    absl::MutexLock lock(&mutex_);
    const auto there = [this, count] { return texts_.size() >= count; };
    REQUIRE(mutex_.AwaitWithTimeout(absl::Condition(&there), kPatience));
    return texts_[count - 1];
  }

  absl::Status AwaitEnd() {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this] { return !ends_.empty(); };
    REQUIRE(mutex_.AwaitWithTimeout(absl::Condition(&ended), kPatience));
    return ends_.front();
  }

  std::size_t ends() {
    absl::MutexLock lock(&mutex_);
    return ends_.size();
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::string> texts_;
  std::vector<absl::Status> ends_;
  absl::Status answer_;
  std::unique_ptr<WebSocketClient> client_;
};

WebSocketClientOptions At(const std::string& url) {
  const auto parsed = WebSocketUrl::Parse(url);
  REQUIRE(parsed.ok());
  return {.url = *parsed};
}

TEST_CASE("a WebSocket's URL is taken apart") {
  const auto url = WebSocketUrl::Parse("ws://localhost:4500/ws?a=1");
  REQUIRE(url.ok());
  CHECK_FALSE(url->secure);
  CHECK(url->host == "localhost");
  CHECK(url->port == "4500");
  CHECK(url->target == "/ws?a=1");
  const auto secure = WebSocketUrl::Parse("wss://[::1]?x");
  REQUIRE(secure.ok());
  CHECK(secure->secure);
  CHECK(secure->host == "::1");
  CHECK(secure->port == "443");
  CHECK(secure->target == "/?x");
}

TEST_CASE("what is no WebSocket's URL is refused") {
  const std::string url = GENERATE("", "ws", "ws://", "ws:///x", "http://a", "ws://u@a", "ws://a#f",
                                   "ws://a b", "ws://a:0", "ws://a:65536", "ws://a:", "ws://a:1x",
                                   "ws://[::1", "ws://[::1]1", "ws://a/\r\nX: y", "ws://\xC3\xA4/");
  CAPTURE(url);
  CHECK(WebSocketUrl::Parse(url).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("messages go there and back, with the token in the request") {
  Site site;
  Peer peer;
  WebSocketClientOptions options = At(site.url("/echo"));
  options.bearer_token = "secret";
  REQUIRE(peer.Connect(std::move(options)).ok());
  CHECK(site.Authorization() == "Bearer secret");
  const std::string large(3 << 20, 'y');
  CHECK(peer.Send("one").ok());
  CHECK(peer.Send(large).ok());
  CHECK(peer.Send("\xE2\x82\xAC").ok());
  CHECK(peer.AwaitText(1) == "one");
  CHECK(peer.AwaitText(2) == large);
  CHECK(peer.AwaitText(3) == "\xE2\x82\xAC");
  peer.Close();
  CHECK(site.AwaitEnd() == 1000);
  CHECK(peer.ends() == 1);
}

TEST_CASE("a handshake that is declined tells how") {
  Site site;
  const auto [path, code] = GENERATE(table<std::string, absl::StatusCode>({
      {"/plain", absl::StatusCode::kFailedPrecondition},
      {"/401", absl::StatusCode::kUnauthenticated},
      {"/503", absl::StatusCode::kUnavailable},
  }));
  Peer peer;
  CHECK(peer.Connect(At(site.url(path))).code() == code);
  CHECK(peer.ends() == 0);
}

TEST_CASE("a handshake that is never answered ends in time") {
  Site site;
  Peer peer;
  WebSocketClientOptions options = At(site.url("/mute"));
  options.connect_timeout = absl::Milliseconds(200);
  CHECK(peer.Connect(std::move(options)).code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("nobody listening, and no such host, is unavailable") {
  Site site;
  const std::string url = site.url("/echo");
  site.Stop();
  Peer peer;
  CHECK(peer.Connect(At(url)).code() == absl::StatusCode::kUnavailable);
  CHECK(peer.Connect(At("ws://no-such-host.invalid/")).code() == absl::StatusCode::kUnavailable);
}

TEST_CASE("TLS with a server that speaks none fails") {
  Site site;
  Peer peer;
  std::string url = site.url("/echo");
  url.replace(0, 2, "wss");
  WebSocketClientOptions options = At(url);
  options.connect_timeout = absl::Milliseconds(200);
  CHECK_FALSE(peer.Connect(std::move(options)).ok());
}

TEST_CASE("the server's close is told with its code and reason") {
  Site site;
  Peer peer;
  REQUIRE(peer.Connect(At(site.url("/close"))).ok());
  const absl::Status end = peer.AwaitEnd();
  CHECK(end.code() == absl::StatusCode::kUnavailable);
  CHECK(end.message() == "the server closed it with 1012: restarting");
  CHECK(peer.Send("late").code() == absl::StatusCode::kUnavailable);
}

TEST_CASE("a message that is too long ends the connection") {
  Site site;
  Peer peer;
  WebSocketClientOptions options = At(site.url("/big"));
  options.max_message_bytes = 99'999;
  REQUIRE(peer.Connect(std::move(options)).ok());
  CHECK(peer.AwaitEnd().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("a message that the receiver refuses ends the connection with its error") {
  Site site;
  Peer peer;
  REQUIRE(peer.Connect(At(site.url("/echo"))).ok());
  peer.AnswerWith(absl::DataLossError("nonsense"));
  CHECK(peer.Send("x").ok());
  CHECK(peer.AwaitEnd() == absl::DataLossError("nonsense"));
}

TEST_CASE("a connection that is cut, or silent, is lost") {
  Site site;
  testing::TcpProxy proxy(site.url("/echo"));
  Peer peer;
  WebSocketClientOptions options = At(proxy.url());
  options.ping_interval = absl::Milliseconds(50);
  options.silence_timeout = absl::Milliseconds(300);
  REQUIRE(peer.Connect(std::move(options)).ok());
  SECTION("pings keep it alive") {
    CHECK(peer.Send("a").ok());
    peer.AwaitText(1);
    proxy.DelayAnswers(absl::Milliseconds(100));
    CHECK(peer.Send("b").ok());
    peer.AwaitText(2);
    CHECK(peer.ends() == 0);
  }
  SECTION("cut") {
    proxy.Cut();
    CHECK(peer.AwaitEnd().code() == absl::StatusCode::kUnavailable);
  }
  SECTION("half open: nothing arrives any more") {
    proxy.DelayAnswers(absl::Seconds(60));
    const absl::Status end = peer.AwaitEnd();
    CHECK(end.code() == absl::StatusCode::kUnavailable);
    CHECK(end.message() == "the server is silent: it answers no ping");
    proxy.Cut();
  }
}

TEST_CASE("what waits for a slow reader is bounded, and so is the wait") {
  Site site;
  Peer peer;
  WebSocketClientOptions options = At(site.url("/stuck"));
  options.max_waiting_bytes = 2 << 20;
  options.write_timeout = absl::Milliseconds(300);
  REQUIRE(peer.Connect(std::move(options)).ok());
  CHECK(peer.Send(std::string((2 << 20) + 1, 'x')).code() == absl::StatusCode::kResourceExhausted);
  const Stop pause;
  bool refused = false;
  while (peer.ends() == 0 && !pause.WaitFor(absl::Milliseconds(5))) {
    refused |= peer.Send(std::string(1 << 20, 'x')).code() == absl::StatusCode::kResourceExhausted;
  }
  CHECK(refused);
  CHECK(peer.AwaitEnd().message() == "the server reads nothing");
  site.Release();
}

}  // namespace
}  // namespace god33::http
