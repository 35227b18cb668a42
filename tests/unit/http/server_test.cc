#include "http/server.h"

#include <catch2/catch.hpp>
#include <deque>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/strings.h"
#include "unit/http/client.h"

namespace god33::http {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr absl::Duration kShort = absl::Milliseconds(50);

// A handler that leaves the answers to the test.
class Desk {
 public:
  struct Case {
    Request request;
    std::unique_ptr<Responder> responder;
  };

  Handler handler() {
    return [this](Request request, std::unique_ptr<Responder> responder) {
      absl::MutexLock lock(&mutex_);
      cases_.push_back({std::move(request), std::move(responder)});
    };
  }

  // Waits for the request with this index, from 0.
  Case& At(std::size_t index) {
    absl::MutexLock lock(&mutex_);
    const auto arrived = [this, index] { return cases_.size() > index; };
    REQUIRE(mutex_.AwaitWithTimeout(absl::Condition(&arrived), kPatience));
    return cases_[index];
  }

  void Answer(std::size_t index, std::string body) {
    At(index).responder->Send({.body = std::move(body)});
  }

  std::size_t size() {
    absl::MutexLock lock(&mutex_);
    return cases_.size();
  }

 private:
  absl::Mutex mutex_;
  std::deque<Case> cases_;
};

std::unique_ptr<Server> Start(Handler handler, Options options = {}) {
  auto server = Server::Start(std::move(options), std::move(handler));
  REQUIRE(server.ok());
  return *std::move(server);
}

// Answers "<method> <path> <body>".
void Echo(Request request, std::unique_ptr<Responder> responder) {
  responder->Send({.body = request.method + " " + request.path + " " + request.body});
}

std::string Get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

std::string Post(const std::string& path, const std::string& body) {
  return StrCat("POST ", path, " HTTP/1.1\r\nHost: a\r\nContent-Length: ", body.size(), "\r\n\r\n",
                body);
}

TEST_CASE("a connection serves one request after another") {
  const auto server = Start(Echo);
  Client client(server->address());
  for (const std::string path : {"/1", "/2", "/3"}) {
    client.Send(Post(path, "body"));
    const Response response = client.Receive();
    CHECK(response.status == 200);
    CHECK(response.body == "POST " + path + " body");
    CHECK(Find(response.headers, "Connection").empty());
    CHECK_FALSE(Find(response.headers, "Date").empty());
  }
}

TEST_CASE("the handler learns the client's address") {
  Desk desk;
  const auto server = Start(desk.handler());
  Client client(server->address());
  client.Send(Get("/"));
  CHECK(desk.At(0).request.peer.rfind("127.0.0.1:", 0) == 0);
}

TEST_CASE("pipelined requests are answered in their order, whatever the handler's is") {
  Desk desk;
  const auto server = Start(desk.handler());
  Client client(server->address());
  client.Send(Get("/0") + Get("/1") + Get("/2"));
  desk.At(2);
  desk.Answer(2, "two");
  desk.Answer(0, "zero");
  desk.Answer(1, "one");
  CHECK(client.Receive().body == "zero");
  CHECK(client.Receive().body == "one");
  CHECK(client.Receive().body == "two");
}

TEST_CASE("a pipelined request that changes something runs alone") {
  Desk desk;
  const auto server = Start(desk.handler());
  Client client(server->address());
  client.Send(Get("/0") + Post("/1", "x") + Get("/2"));
  desk.At(0);
  CHECK(desk.size() == 1);
  desk.Answer(0, "zero");
  desk.At(1);
  CHECK(desk.size() == 2);
  desk.Answer(1, "one");
  desk.Answer(2, "two");
  for (const std::string body : {"zero", "one", "two"}) CHECK(client.Receive().body == body);
}

TEST_CASE("a thousand pipelined requests are all answered") {
  const auto server = Start(Echo, {.threads = 2});
  Client client(server->address());
  std::string requests;
  for (int i = 0; i < 1000; ++i) requests += Get(StrCat("/", i));
  client.Send(requests);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(client.Receive().body == StrCat("GET /", i, " "));
  }
}

TEST_CASE("HEAD gets the answer of GET without its body") {
  const auto server = Start(Echo);
  Client client(server->address());
  client.Send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n" + Get("/b"));
  const Response head = client.Receive(true);
  CHECK(Find(head.headers, "Content-Length") == "8");  // of "HEAD /a "
  CHECK(client.Receive().body == "GET /b ");
}

TEST_CASE("HTTP/1.0 closes unless asked to keep the connection") {
  const auto server = Start(Echo);
  Client one(server->address());
  one.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(Find(one.Receive().headers, "Connection") == "keep-alive");
  one.Send("GET / HTTP/1.0\r\n\r\n");
  CHECK(Find(one.Receive().headers, "Connection") == "close");
  CHECK(one.ReceiveAll().empty());
}

TEST_CASE("a client that asks to close is closed after its answer") {
  const auto server = Start(Echo);
  Client client(server->address());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + Get("/ignored"));
  CHECK(Find(client.Receive().headers, "Connection") == "close");
  CHECK(client.ReceiveAll().empty());
}

TEST_CASE("a client that expects 100-continue is told to go on") {
  const auto server = Start(Echo);
  Client client(server->address());
  client.Send("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.Receive().status == 100);
  client.Send("body");
  CHECK(client.Receive().body == "PUT /a body");
}

TEST_CASE("100-continue keeps its place behind earlier answers") {
  Desk desk;
  const auto server = Start(desk.handler());
  Client client(server->address());
  client.Send(Get("/0") +
              "PUT /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  desk.Answer(0, "zero");
  CHECK(client.Receive().body == "zero");
  CHECK(client.Receive().status == 100);
  client.Send("body");
  CHECK(desk.At(1).request.body == "body");
}

TEST_CASE("a body that is too long is refused before it is sent") {
  const auto server = Start(Echo, {.max_body_bytes = 10});
  Client client(server->address());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  const Response response = client.Receive();
  CHECK(response.status == 413);
  CHECK(Find(response.headers, "Connection") == "close");
  CHECK(client.ReceiveAll().empty());
}

TEST_CASE("a client that sends a long refused body still reads the refusal") {
  const auto server = Start(Echo, {.max_body_bytes = 10});
  Client client(server->address());
  client.Send(Post("/", std::string(3'000'000, 'x')));
  CHECK(client.Receive().status == 413);
}

TEST_CASE("a header that is too long is refused") {
  const auto server = Start(Echo, {.max_header_bytes = 100});
  Client client(server->address());
  client.Send("GET /" + std::string(200, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.Receive().status == 431);
  CHECK(client.ReceiveAll().empty());
}

TEST_CASE("a malformed request is refused after the answers before it") {
  Desk desk;
  const auto server = Start(desk.handler());
  Client client(server->address());
  client.Send(Get("/0") + "BAD\r\n\r\n" + Get("/2"));
  desk.Answer(0, "zero");
  CHECK(client.Receive().body == "zero");
  CHECK(client.Receive().status == 400);
  CHECK(client.ReceiveAll().empty());
  CHECK(desk.size() == 1);
}

TEST_CASE("the server's own answers are worded as the options say") {
  const auto server =
      Start(Echo, {.refusal = [](int status, std::string_view detail) {
              return Response{.status = status, .body = "no: " + std::string(detail)};
            }});
  Client client(server->address());
  client.Send("BAD\r\n\r\n");
  CHECK(client.Receive().body.rfind("no: ", 0) == 0);
}

TEST_CASE("a header that trickles in too slowly is refused") {
  const auto server = Start(Echo, {.header_timeout = kShort});
  Client client(server->address());
  client.Send("GET / HTTP/1.1\r\nHos");
  CHECK(client.Receive().status == 408);
  CHECK(client.ReceiveAll().empty());
}

TEST_CASE("a body that trickles in too slowly is refused") {
  const auto server = Start(Echo, {.body_timeout = kShort});
  Client client(server->address());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  CHECK(client.Receive().status == 408);
}

TEST_CASE("a client that waits for its answer is not timed out") {
  Desk desk;
  const auto server = Start(desk.handler(), {.header_timeout = kShort, .idle_timeout = kShort});
  Client waiting(server->address());
  waiting.Send(Get("/"));
  desk.At(0);
  Client idle(server->address());
  CHECK(idle.ReceiveAll().empty());  // by now the waiting one would have been closed, too
  desk.Answer(0, "late");
  CHECK(waiting.Receive().body == "late");
}

TEST_CASE("an idle connection is closed") {
  const auto server = Start(Echo, {.idle_timeout = kShort});
  Client client(server->address());
  client.Send(Get("/"));
  CHECK(client.Receive().status == 200);
  CHECK(client.ReceiveAll().empty());
}

TEST_CASE("a client that reads no answer is closed") {
  const std::string big(64 << 20, 'x');
  const auto server = Start(
      [&big](Request, std::unique_ptr<Responder> responder) { responder->Send({.body = big}); },
      {.write_timeout = kShort});
  Client client(server->address());
  client.Send(Get("/"));
  server->Stop(kPatience);
  CHECK(client.ReceiveAll().size() < big.size());
}

TEST_CASE("a client that reads slowly gets all of a long answer") {
  const std::string big(8 << 20, 'x');
  const auto server = Start(
      [&big](Request, std::unique_ptr<Responder> responder) { responder->Send({.body = big}); });
  Client client(server->address());
  client.Send(Get("/"));
  CHECK(client.Receive().body == big);
}

TEST_CASE("a request that the handler drops is answered with 500") {
  const auto server = Start([](Request, std::unique_ptr<Responder>) {});
  Client client(server->address());
  client.Send(Get("/1"));
  CHECK(client.Receive().status == 500);
  client.Send(Get("/2"));
  CHECK(client.Receive().status == 500);
}

TEST_CASE("connections above the limit are closed at once") {
  const auto server = Start(Echo, {.max_connections = 1});
  Client first(server->address());
  first.Send(Get("/1"));
  CHECK(first.Receive().status == 200);
  Client second(server->address());
  CHECK(second.ReceiveAll().empty());
  first.Send(Get("/2"));
  CHECK(first.Receive().status == 200);
}

TEST_CASE("a client that has closed its sending side still gets its answers") {
  Desk desk;
  const auto server = Start(desk.handler(), {.half_close_grace = absl::InfiniteDuration()});
  Client client(server->address());
  client.Send(Get("/0") + Post("/1", "x"));
  client.CloseSending();
  desk.Answer(0, "zero");
  desk.Answer(1, "one");
  CHECK(client.Receive().body == "zero");
  CHECK(client.Receive().body == "one");
  CHECK(client.ReceiveAll().empty());
}

TEST_CASE("the handler is told of a client that went away") {
  Desk desk;
  const auto server = Start(desk.handler(), {.half_close_grace = absl::ZeroDuration()});
  absl::Notification before;
  absl::Notification after;
  Client client(server->address());
  client.Send(Get("/"));
  desk.At(0).responder->OnGone([&before] { before.Notify(); });
  SECTION("by closing") {
    client.CloseSending();
  }
  SECTION("by a reset") {
    client.Reset();
  }
  CHECK(before.WaitForNotificationWithTimeout(kPatience));
  desk.At(0).responder->OnGone([&after] { after.Notify(); });
  CHECK(after.WaitForNotificationWithTimeout(kPatience));
  desk.Answer(0, "nobody reads this");
}

TEST_CASE("the handler is not told of a client that got its answer") {
  absl::Notification told;
  {
    Desk desk;
    const auto server = Start(desk.handler(), {.half_close_grace = absl::ZeroDuration()});
    Client client(server->address());
    client.Send(Get("/"));
    desk.At(0).responder->OnGone([&told] { told.Notify(); });
    desk.Answer(0, "answer");
    CHECK(client.Receive().body == "answer");
    client.Reset();
    server->Stop(kPatience);
  }
  CHECK_FALSE(told.HasBeenNotified());
}

TEST_CASE("a stop lets requests under way finish") {
  Desk desk;
  const auto server = Start(desk.handler());
  Client idle(server->address());
  Client busy(server->address());
  Client sending(server->address());
  busy.Send(Get("/busy"));
  desk.At(0);
  sending.Send(
      "POST /half HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  CHECK(sending.Receive().status == 100);
  std::thread stop([&server] { server->Stop(absl::InfiniteDuration()); });
  CHECK(idle.ReceiveAll().empty());  // the stop has begun
  desk.Answer(0, "done");
  CHECK(busy.Receive().body == "done");
  CHECK(busy.ReceiveAll().empty());  // that was its last one
  sending.Send("body");
  desk.Answer(1, "done, too");
  CHECK(sending.Receive().body == "done, too");
  sending.CloseSending();
  busy.CloseSending();
  stop.join();
}

TEST_CASE("a stop that may not wait closes requests under way and tells the handler") {
  Desk desk;
  const auto server = Start(desk.handler());
  absl::Notification told;
  Client client(server->address());
  client.Send(Get("/"));
  desk.At(0).responder->OnGone([&told] { told.Notify(); });
  server->Stop(absl::ZeroDuration());
  CHECK(told.HasBeenNotified());
  CHECK(client.ReceiveAll().empty());
  server->Stop(kPatience);
}

TEST_CASE("an answer that comes after the server's end is harmless") {
  Desk desk;
  auto server = Start(desk.handler());
  Client client(server->address());
  client.Send(Get("/0") + Get("/1"));
  desk.At(1);
  server.reset();
  desk.Answer(0, "late");
  desk.At(0).responder->OnGone([] {});
}

TEST_CASE("an address that is taken, or is none, is an error") {
  const auto server = Start(Echo);
  CHECK(Server::Start({.listen = server->address()}, Echo).status().code() ==
        absl::StatusCode::kUnavailable);
  for (const char* address : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999"}) {
    CAPTURE(address);
    CHECK(Server::Start({.listen = address}, Echo).status().code() ==
          absl::StatusCode::kInvalidArgument);
  }
  CHECK(Server::Start({.max_header_bytes = 1 << 20}, Echo).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace god33::http
