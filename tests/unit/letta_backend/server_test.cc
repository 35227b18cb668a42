// What the real server does not do: a WebSocket server that answers with what the test says.

#include <catch2/catch.hpp>

#include "absl/synchronization/mutex.h"
#include "base/error.h"
#include "base/strings.h"
#include "http/server.h"
#include "services/letta-bridge/app_server/backend.h"

namespace god33::letta::app_server {
namespace {

constexpr char kInfo[] =
    R"(,"type":"app_server_info_response","success":true,"letta_code_version":"0.32.18","protocol_version":1})";

using Answers = std::vector<std::pair<std::string, std::string>>;

// Answers a command, by its type, with a text that follows {"request_id":ID; others not at all.
class StandIn {
 public:
  explicit StandIn(Answers answers) : answers_(std::move(answers)) {
    auto server = http::Server::Start({}, [this](http::Request request, auto responder) {
      Handle(request, std::move(responder));
    });
    REQUIRE(server.ok());
    server_ = *std::move(server);
  }
  ~StandIn() { server_.reset(); }

  Options options() const {
    return {.url = *http::WebSocketUrl::Parse(StrCat("ws://", server_->address(), "/ws")),
            .token = "secret",
            .call_timeout = absl::Milliseconds(200)};
  }

  std::string authorization() {
    absl::MutexLock lock(&mutex_);
    return authorization_;
  }

 private:
  void Handle(const http::Request& request, std::unique_ptr<http::Responder> responder) {
    if (http::CheckUpgrade(request)) return responder->Send({.status = 401});
    absl::MutexLock lock(&mutex_);
    authorization_ = http::Find(request.headers, "Authorization");
    socket_ = responder->Upgrade({}, {.message = [this](std::string text) { Answer(text); }});
  }

  void Answer(const std::string& text) {
    absl::MutexLock lock(&mutex_);
    const auto frame = Frame::Parse(text);
    for (const auto& [type, answer] : answers_) {
      if (!frame.ok() || frame->type() != type) continue;
      static_cast<void>(socket_->Send(
          StrCat(R"({"request_id":")", frame->request_id(), R"(")", answer), nullptr));
    }
  }

  const Answers answers_;
  absl::Mutex mutex_;
  std::string authorization_;
  std::unique_ptr<http::WebSocket> socket_;
  std::unique_ptr<http::Server> server_;
};

TEST_CASE("the token is shown, and the version kept") {
  StandIn server(Answers{{"app_server_info", kInfo}});
  AppServer backend(server.options());
  CHECK(backend.Check().ok());
  CHECK(backend.Describe() == "Letta App Server 0.32.18");
  CHECK(server.authorization() == "Bearer secret");
}

TEST_CASE("a server of another protocol is not supported") {
  StandIn server(
      Answers{{"app_server_info", R"(,"type":"app_server_info_response","protocol_version":2})"}});
  const absl::Status status = AppServer(server.options()).Check();
  CHECK(status.code() == absl::StatusCode::kUnimplemented);
  CHECK(ReasonOf(status) == "LETTA_UNSUPPORTED");
  CHECK(MessageOf(status).find("protocol 2") != std::string_view::npos);
}

TEST_CASE("a server that answers nonsense loses the connection, with words") {
  StandIn server(Answers{{"app_server_info", kInfo}, {"agent_delete", " nonsense"}});
  AppServer backend(server.options());
  const absl::Status status = backend.DeleteAgent("a");
  CHECK(ReasonOf(status) == "LETTA_UNAVAILABLE");
  CHECK(MessageOf(status).find("no JSON") != std::string_view::npos);
  CHECK(backend.Check().ok());  // anew
}

TEST_CASE("a refusal has Letta's words; no answer is silence") {
  StandIn server(Answers{
      {"app_server_info", kInfo},
      {"agent_delete", R"(,"type":"agent_delete_response","success":false,"error":"disk full"})"},
      {"agent_create", R"(,"type":"agent_create_response","success":true})"}});
  AppServer backend(server.options());
  CHECK(backend.DeleteAgent("a").message() == "the Letta App Server refused: disk full");
  CHECK(ReasonOf(backend.CreateAgent({}).status()) == "LETTA_REFUSED");
  CHECK(ReasonOf(backend.Fork("c", "m").status()) == "LETTA_SILENT");
}

TEST_CASE("pages that never end are left") {
  StandIn server(Answers{
      {"app_server_info", kInfo},
      {"conversation_messages_list",
       R"(,"type":"r","success":true,"messages":[{"id":"x"},7],"has_more":true,"next_before":"x"})"}});
  AppServer backend(server.options());
  CHECK(backend.Messages("c", 100)->size() == 2);
  CHECK(backend.Messages("c", 1)->size() == 1);
  CHECK(backend.Messages("c", 0)->empty());
}

}  // namespace
}  // namespace god33::letta::app_server
