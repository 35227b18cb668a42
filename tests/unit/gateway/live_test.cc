#include "services/gateway/live.h"
#include "services/gateway/live_frames.h"
#include "services/gateway/live_request.h"

#include <catch2/catch.hpp>
#include <thread>

#include "json/value.h"
#include "services/gateway/api.h"
#include "services/gateway/frontend.h"
#include "services/gateway/grpc_upstreams.h"
#include "services/gateway/services.h"
#include "unit/gateway/fakes.h"
#include "unit/gateway/live_store.h"
#include "unit/http/frames.h"

namespace god33::gateway {
namespace {

using http::Client;
using http::Encode;
using http::ReceiveClose;
using http::ReceiveText;

// A gateway on a real store.
class Gateway {
 public:
  explicit Gateway(const std::string& store, Live::Options options = {})
      : upstreams_({{"event-store-api", store}}), live_(upstreams_, live_metrics_, options) {
    auto server =
        http::Server::Start({.threads = 2}, [this](http::Request request, auto responder) {
          frontend_.Handle(std::move(request), std::move(responder));
        });
    REQUIRE(server.ok());
    server_ = *std::move(server);
  }

  ~Gateway() { Stop(); }
  void Stop() {
    server_->Stop(absl::Seconds(10));
    live_.AwaitIdle();
  }

  std::string address() const { return server_->address(); }

  double Metric(const std::string& name, const std::map<std::string, std::string>& labels) {
    for (const auto& family : registry_.Collect()) {
      if (family.name != name) continue;
      for (const auto& metric : family.metric) {
        std::map<std::string, std::string> found;
        for (const auto& label : metric.label) found[label.name] = label.value;
        if (found == labels) return metric.counter.value + metric.gauge.value;
      }
    }
    return 0;
  }

 private:
  CountingIds ids_;
  prometheus::Registry registry_;
  Metrics metrics_{registry_};
  LiveMetrics live_metrics_{registry_};
  GrpcUpstreams upstreams_;
  HealthCheck health_{{}, {}, upstreams_};
  std::unique_ptr<Api> api_ = *Api::Create(Services(), upstreams_, absl::Seconds(30));
  Live live_;
  const Cors cors_{};
  Frontend frontend_{*api_, live_, health_, cors_, "{}", ids_, metrics_};
  std::unique_ptr<http::Server> server_;
};

std::string WebSocketRequest(const std::string& query = "") {
  std::string request = http::kUpgrade;
  return request.replace(request.find("/ws"), 3, StrCat(kLivePath, query));
}

std::string SseRequest(const std::string& query = "", const std::string& headers = "") {
  return StrCat("GET ", kLivePath, query, " HTTP/1.1\r\nHost: a\r\n", headers, "\r\n");
}

Client OpenWebSocket(const Gateway& gateway, const std::string& query = "") {
  Client client(gateway.address());
  client.Send(WebSocketRequest(query));
  REQUIRE(client.Receive(true).status == 101);
  return client;
}

// The text of a member of the next frame's, or of several: "type position".
std::string NextFrame(Client& client, const std::vector<std::string>& keys = {"type", "position"}) {
  const std::string text = ReceiveText(client);
  const auto frame = json::Value::Parse(text);
  if (!frame.ok()) return "no frame: " + text;
  std::string found;
  for (const std::string& key : keys) {
    const auto value = frame->Find(key);
    StrAppend(&found, found.empty() ? "" : " ", value ? value->text() : "none");
  }
  return found;
}

void Say(Client& client, const std::string& text) {
  client.Send(Encode({.payload = text}));
}

// The next chunk of an event stream, which is one block.
std::string NextBlock(Client& client) {
  std::string size;
  while (size.size() < 2 || size.substr(size.size() - 2) != "\r\n") {
    const std::string byte = client.ReceiveBytes(1);
    if (byte.empty()) return "end";
    size += byte;
  }
  const std::string block = client.ReceiveBytes(std::stoul(size, nullptr, 16) + 2);
  return block.substr(0, block.size() - 2);
}

std::string Member(const http::Response& problem, std::string_view key) {
  const auto json = json::Value::Parse(problem.body);
  REQUIRE(json.ok());
  const auto value = json->Find(key);
  return value ? std::string(value->text()) : "none";
}

TEST_CASE("a WebSocket gets what was missed, and then what comes") {
  LiveStore store;
  store.Append(2);
  Gateway gateway(store.address());
  Client client = OpenWebSocket(gateway,
                                "?after=0&event_type=a.*&event_types=b&workflow_id=w"
                                "&correlation_id=c&agent_id=g&project=p");
  CHECK(NextFrame(client) == "\"subscribed\" 0");
  CHECK(NextFrame(client) == "\"event\" 1");
  const std::string text = ReceiveText(client);
  const auto frame = json::Value::Parse(text);
  REQUIRE(frame.ok());
  CHECK(frame->Find("data")->text() == frame->Find("envelope")->text());
  CHECK(frame->Find("data")->Find("event_id")->text() == "\"e2\"");
  CHECK(frame->Find("data")->Find("agent_context")->is_null());
  store.Append(1);
  CHECK(NextFrame(client) == "\"event\" 3");
  const auto request = store.AwaitRequests(1)[0];
  CHECK(request.event_types_size() == 2);
  CHECK(request.event_types(1) == "b");
  CHECK(StrCat(request.workflow_id(), request.correlation_id(), request.agent_id(),
               request.project()) == "wcgp");
  CHECK(store.request_id() == kFirstId);
}

TEST_CASE("an event stream gets blocks that an EventSource reads") {
  LiveStore store;
  store.Append(1);
  Gateway gateway(store.address());
  Client client(gateway.address());
  client.Send(SseRequest("?after=0", "Accept: text/event-stream\r\n"));
  const http::Response head = client.Receive();
  CHECK(head.status == 200);
  CHECK(http::Find(head.headers, "Content-Type") == "text/event-stream; charset=utf-8");
  CHECK(http::Find(head.headers, "Cache-Control") == "no-store");
  CHECK(http::Find(head.headers, "X-Accel-Buffering") == "no");
  CHECK(http::Find(head.headers, "X-Request-Id") == kFirstId);
  CHECK(NextBlock(client) == "retry: 1000\n: subscribed\nid: 0\n\n");
  const std::string block = NextBlock(client);
  CHECK(block.rfind("id: 1\nevent: event\ndata: {\"type\":\"event\",\"position\":1,", 0) == 0);
  CHECK(block.find("{\"n\":1,\ndata: \"x\"") != std::string::npos);
  CHECK(block.substr(block.size() - 2) == "\n\n");
}

TEST_CASE("without a position both begin now") {
  LiveStore store;
  store.Append(5);
  Gateway gateway(store.address());
  Client client = OpenWebSocket(gateway);
  CHECK(NextFrame(client) == "\"subscribed\" 5");
  CHECK_FALSE(store.AwaitRequests(1)[0].has_after());
}

TEST_CASE("Last-Event-ID wins over after") {
  LiveStore store;
  store.Append(9);
  Gateway gateway(store.address());
  Client client(gateway.address());
  client.Send(SseRequest("?after=2", "Last-Event-ID: 8\r\n"));
  client.Receive();
  CHECK(NextBlock(client) == "retry: 1000\n: subscribed\nid: 8\n\n");
  CHECK(NextBlock(client).rfind("id: 9\n", 0) == 0);
}

TEST_CASE("within goes with the position, there and back") {
  store::v1::StreamEventsResponse response;
  response.mutable_heartbeat();
  response.set_position(7);
  CHECK(FrameOf(response).find("within") == std::string::npos);
  response.set_within(5);
  CHECK(FrameOf(response).find(R"("position":7,"within":5)") != std::string::npos);
  const auto error = absl::UnavailableError("away");
  CHECK(ErrorFrame(error, 7, 5).find(R"("position":7,"within":5)") != std::string::npos);

  const auto by_id = [](const std::string& id) {
    return ReadLiveQuery({.query = "after=1&within=1", .headers = {{"Last-Event-ID", id}}}, true);
  };
  CHECK(by_id("7.5")->after() == 7);
  CHECK(by_id("7.5")->within() == 5);
  CHECK(by_id("7")->within() == 0);
  for (const char* bad : {"7.", "7.x", "7.-1", ".5", "7.5.1"}) CHECK_FALSE(by_id(bad).ok());
  const auto frame = ReadClientFrame(R"({"type":"subscribe","after":7,"within":5})");
  CHECK(frame->subscribe->within() == 5);
  CHECK_FALSE(ReadClientFrame(R"({"type":"subscribe","filters":{"within":5}})").ok());
}

TEST_CASE("of filters that stand twice in a frame the last ones count, alone") {
  const auto frame = ReadClientFrame(
      R"({"type":"subscribe","filters":{"event_types":["a"],"project":"p"},"filters":{"event_types":["b"]}})");
  REQUIRE(frame.ok());
  REQUIRE(frame->subscribe->event_types_size() == 1);
  CHECK(frame->subscribe->event_types(0) == "b");
  CHECK_FALSE(frame->subscribe->has_project());
}

TEST_CASE("HTTP/1.0 gets an event stream, too") {
  LiveStore store;
  Gateway gateway(store.address());
  Client client(gateway.address());
  client.Send(StrCat("GET ", kLivePath, " HTTP/1.0\r\n\r\n"));
  CHECK(client.Receive().status == 200);
  CHECK(client.ReceiveBytes(11) == "retry: 1000");
}

TEST_CASE("a request that can't be served is refused before anything begins") {
  const auto [request, status, reason, field] =
      GENERATE(table<std::string, int, std::string, std::string>({
          {SseRequest("?evnt_type=a"), 400, "INVALID_ARGUMENT", "evnt_type"},
          {WebSocketRequest("?limit=3"), 400, "INVALID_ARGUMENT", "limit"},
          {SseRequest("?after=-1"), 400, "INVALID_ARGUMENT", "after"},
          {SseRequest("?after=x"), 400, "INVALID_ARGUMENT", "after"},
          {SseRequest("?after=1&after=2"), 400, "INVALID_ARGUMENT", "after"},
          {SseRequest("?project=a&project=b"), 400, "INVALID_ARGUMENT", "project"},
          {SseRequest("", "Last-Event-ID: x\r\n"), 400, "INVALID_ARGUMENT", "Last-Event-ID"},
          {SseRequest("?event_type=bad%20type"), 400, "INVALID_ARGUMENT", "event_types[0]"},
          {WebSocketRequest("?event_type=bad%20type"), 400, "INVALID_ARGUMENT", "event_types[0]"},
          {"POST /api/v1/events/stream HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405,
           "METHOD_NOT_ALLOWED", ""},
          {SseRequest("", "Upgrade: websocket\r\nConnection: Upgrade\r\n"), 426, "UPGRADE_REQUIRED",
           ""},
          {SseRequest("", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 426,
           "UPGRADE_REQUIRED", ""},
          {SseRequest("", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"), 400,
           "BAD_HANDSHAKE", ""},
      }));
  CAPTURE(request);
  LiveStore store;
  Gateway gateway(store.address());
  Client client(gateway.address());
  client.Send(request);
  const http::Response response = client.Receive();
  CHECK(response.status == status);
  CHECK(Member(response, "reason") == "\"" + reason + "\"");
  CHECK(Member(response, "field") == (field.empty() ? "none" : "\"" + field + "\""));
  if (status == 426) CHECK(http::Find(response.headers, "Upgrade") == "websocket");
}

TEST_CASE("HEAD is not allowed") {
  LiveStore store;
  Gateway gateway(store.address());
  Client client(gateway.address());
  client.Send(StrCat("HEAD ", kLivePath, " HTTP/1.1\r\nHost: a\r\n\r\n"));
  const http::Response response = client.Receive(true);
  CHECK(response.status == 405);
  CHECK(http::Find(response.headers, "Allow") == "GET");
}

TEST_CASE("without a store the answer is 503") {
  Gateway gateway("127.0.0.1:1");
  for (const std::string& request : {SseRequest(), WebSocketRequest()}) {
    Client client(gateway.address());
    client.Send(request);
    const http::Response response = client.Receive();
    CHECK(response.status == 503);
    CHECK(Member(response, "reason") == "\"SERVICE_UNAVAILABLE\"");
  }
}

TEST_CASE("a subscribe frame replaces all filters and misses nothing") {
  LiveStore store;
  store.Append(2);
  Gateway gateway(store.address());
  Client client = OpenWebSocket(gateway, "?after=0&workflow_id=w");
  for (int i = 0; i < 3; ++i) NextFrame(client);
  Say(client, R"({"type":"subscribe","filters":{"event_types":["x","y.*"],"project":"p"}})");
  CHECK(NextFrame(client) == "\"subscribed\" 2");
  store.Append(1);
  CHECK(NextFrame(client) == "\"event\" 3");
  Say(client, R"({"type":"subscribe","after":1})");
  CHECK(NextFrame(client) == "\"subscribed\" 1");
  CHECK(NextFrame(client) == "\"event\" 2");
  const auto requests = store.AwaitRequests(3);
  REQUIRE(requests.size() == 3);
  CHECK(requests[1].event_types_size() == 2);
  CHECK(requests[1].project() == "p");
  CHECK(requests[1].after() == 2);
  CHECK_FALSE(requests[1].has_workflow_id());
  CHECK(requests[2].event_types_size() == 0);
}

TEST_CASE("a subscription that the store refuses is answered, and another one may follow") {
  LiveStore store;
  Gateway gateway(store.address());
  Client client = OpenWebSocket(gateway);
  NextFrame(client);
  Say(client, R"({"type":"subscribe","filters":{"event_types":["bad type"]}})");
  CHECK(NextFrame(client, {"type", "reason", "field"}) ==
        R"("error" "INVALID_ARGUMENT" "event_types[0]")");
  Say(client, R"({"type":"subscribe"})");
  CHECK(NextFrame(client) == "\"subscribed\" 0");
}

TEST_CASE("a client's ping is answered") {
  LiveStore store;
  Gateway gateway(store.address());
  Client client = OpenWebSocket(gateway);
  NextFrame(client);
  Say(client, R"({"type":"ping"})");
  CHECK(NextFrame(client, {"type"}) == "\"pong\"");
}

TEST_CASE("malformed frames are answered and keep the connection, up to a point") {
  const std::vector<std::pair<std::string, std::string>> malformed = {
      {"", "none"},
      {"{", "none"},
      {"[]", "none"},
      {"{}", "\"type\""},
      {R"({"type":1})", "\"type\""},
      {R"({"type":"shout"})", "\"type\""},
      {R"({"type":"subscribe","filters":[]})", "\"filters\""},
      {R"({"type":"subscribe","filters":{"event_types":[1]}})", "\"filters.event_types[0]\""},
      {R"({"type":"subscribe","filters":{"color":"red"}})", "\"filters.color\""},
      {R"({"type":"subscribe","after":-1})", "\"after\""}};
  LiveStore store;
  Gateway gateway(store.address());
  Client client = OpenWebSocket(gateway);
  NextFrame(client);
  for (const auto& [text, field] : malformed) {
    CAPTURE(text);
    Say(client, text);
    CHECK(NextFrame(client, {"type", "field"}) == "\"error\" " + field);
  }
  store.Append(1);
  CHECK(NextFrame(client) == "\"event\" 1");
  Say(client, "one too many");
  CHECK(NextFrame(client, {"type"}) == "\"error\"");
  CHECK(ReceiveClose(client) == 1008);
}

TEST_CASE("an error frame sends back little of what it complains about") {
  LiveStore store;
  Gateway gateway(store.address());
  Client client = OpenWebSocket(gateway);
  NextFrame(client);
  Say(client, StrCat(R"({"type":"subscribe","filters":{")", std::string(60'000, 'x'), "\":1}}"));
  CHECK(ReceiveText(client).size() < 1200);
}

TEST_CASE("when the store goes away for a moment, the stream goes on where it was") {
  LiveStore store;
  store.Append(2);
  Gateway gateway(store.address());
  Client client = OpenWebSocket(gateway, "?after=0");
  for (int i = 0; i < 3; ++i) NextFrame(client);
  for (int i = 3; i < 8; ++i) {
    store.End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "stopping"));
    store.Append(1);
    CHECK(NextFrame(client) == StrCat("\"event\" ", i));
  }
}

TEST_CASE("a store that is replaced by another is found") {
  auto store = std::make_unique<LiveStore>();
  const int port = store->port();
  Gateway gateway(store->address());
  Client client = OpenWebSocket(gateway, "?after=0");
  CHECK(NextFrame(client) == "\"subscribed\" 0");
  store.reset();
  store = std::make_unique<LiveStore>(port);
  store->Append(1);
  CHECK(NextFrame(client) == "\"event\" 1");
}

TEST_CASE("a store that stays away ends the stream with the position to go on from") {
  auto store = std::make_unique<LiveStore>();
  store->Append(3);
  Gateway gateway(store->address(), {.patience = absl::Milliseconds(300)});
  Client socket = OpenWebSocket(gateway, "?after=1");
  for (int i = 0; i < 3; ++i) NextFrame(socket);
  Client stream(gateway.address());
  stream.Send(SseRequest("?after=3"));
  stream.Receive();
  NextBlock(stream);
  store.reset();
  CHECK(NextFrame(socket, {"type", "reason", "position"}) == R"("error" "SERVICE_UNAVAILABLE" 3)");
  CHECK(ReceiveClose(socket) == 1013);
  CHECK(NextBlock(stream).rfind("event: error\ndata: {\"type\":\"error\",", 0) == 0);
  CHECK(NextBlock(stream).empty());  // the last chunk: whole
}

TEST_CASE("what the store ends a stream for has its close code") {
  const auto [error, code, position] = GENERATE(table<absl::Status, int, std::string>({
      {MakeError(absl::StatusCode::kAborted, "LOG_CHANGED", "another log"), 1012, "none"},
      {MakeError(absl::StatusCode::kResourceExhausted, "SLOW_READER", "too slow"), 1008, "1"},
      {MakeError(absl::StatusCode::kResourceExhausted, "TOO_MANY_STREAMS", "busy"), 1013, "1"},
      {MakeError(absl::StatusCode::kInternal, "INTERNAL", "broken"), 1011, "1"},
  }));
  LiveStore store;
  store.Append(1);
  Gateway gateway(store.address());
  Client client = OpenWebSocket(gateway, "?after=0");
  NextFrame(client);
  NextFrame(client);
  store.End(rpc::ToGrpc(error));
  CHECK(NextFrame(client, {"type", "reason", "position"}) ==
        StrCat("\"error\" \"", ReasonOf(error), "\" ", position));
  CHECK(ReceiveClose(client) == code);
}

TEST_CASE("the store is told when a client goes away") {
  LiveStore store;
  Gateway gateway(store.address());
  Client socket = OpenWebSocket(gateway);
  NextFrame(socket);
  Client stream(gateway.address());
  stream.Send(SseRequest());
  stream.Receive();
  NextBlock(stream);
  CHECK(gateway.Metric("god33_live_connections", {{"transport", "websocket"}}) == 1);
  socket.Send(http::CloseFrame(1000));
  CHECK(ReceiveClose(socket) == 1000);
  socket.CloseSending();
  stream.Reset();
  CHECK(store.AwaitNone());
  gateway.Stop();
  CHECK(gateway.Metric("god33_live_connections", {{"transport", "websocket"}}) == 0);
  CHECK(gateway.Metric("god33_live_connections", {{"transport", "sse"}}) == 0);
  CHECK(gateway.Metric("god33_live_closed_total", {{"transport", "websocket"}, {"code", "1000"}}) ==
        1);
  CHECK(gateway.Metric("god33_live_frames_total", {{"transport", "sse"}, {"type", "subscribed"}}) ==
        1);
}

TEST_CASE("more clients than allowed are told to come back") {
  LiveStore store;
  Gateway gateway(store.address(), {.max_connections = 1});
  Client first = OpenWebSocket(gateway);
  NextFrame(first);
  Client second(gateway.address());
  second.Send(SseRequest());
  const http::Response response = second.Receive();
  CHECK(response.status == 503);
  CHECK(http::Find(response.headers, "Retry-After") == "5");
  CHECK(Member(response, "reason") == "\"TOO_MANY_CONNECTIONS\"");
}

TEST_CASE("a client that does not read holds its own stream back") {
  LiveStore store;
  store.Append(100, 512 << 10);
  Gateway gateway(store.address());
  Client slow = OpenWebSocket(gateway, "?after=0");
  Client fast = OpenWebSocket(gateway, "?after=0");
  for (int i = 0; i <= 100; ++i) {
    REQUIRE(NextFrame(fast) == (i == 0 ? "\"subscribed\" 0" : StrCat("\"event\" ", i)));
  }
  CHECK(store.written() < 150);
  for (int i = 0; i <= 100; ++i) {
    REQUIRE(NextFrame(slow) == (i == 0 ? "\"subscribed\" 0" : StrCat("\"event\" ", i)));
  }
}

TEST_CASE("a stop ends all at once") {
  LiveStore store;
  Gateway gateway(store.address());
  Client socket = OpenWebSocket(gateway);
  NextFrame(socket);
  Client stream(gateway.address());
  stream.Send(SseRequest());
  stream.Receive();
  NextBlock(stream);
  std::thread stop([&gateway] { gateway.Stop(); });
  CHECK(ReceiveClose(socket) == 1001);
  CHECK(NextBlock(stream).empty());
  socket.CloseSending();
  stream.CloseSending();
  stop.join();
  CHECK(store.AwaitNone());
}

}  // namespace
}  // namespace god33::gateway
