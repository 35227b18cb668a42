#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "http/server.h"
#include "services/gateway/upstreams.h"

namespace god33::gateway {

// Upstreams that leave the answers to the test. For single-threaded tests.
class FakeUpstreams final : public Upstreams {
 public:
  struct Started {
    UpstreamCall call;
    absl::AnyInvocable<void(grpc::Status) &&> done;
    bool cancelled = false;
  };

  explicit FakeUpstreams(std::set<std::string> configured) : configured_(std::move(configured)) {}

  bool IsConfigured(const std::string& service) const override {
    return configured_.contains(service);
  }

  Cancel Start(const UpstreamCall& call, absl::AnyInvocable<void(grpc::Status) &&> done) override {
    Started& started = calls.emplace_back(Started{call, std::move(done)});
    return [&started] { started.cancelled = true; };
  }

  std::shared_ptr<UpstreamStream> Open(UpstreamStreamCall, UpstreamStreamEvents) override {
    return nullptr;  // streams are tested with a real server
  }

  std::deque<Started> calls;

 private:
  const std::set<std::string> configured_;
};

// What became of a request.
struct Outcome {
  http::Response response;  // status 0: nothing yet
  absl::AnyInvocable<void() &&> on_gone;
};

class FakeResponder final : public http::Responder {
 public:
  explicit FakeResponder(Outcome& outcome) : outcome_(outcome) { outcome_.response.status = 0; }

  void Send(http::Response response) override { outcome_.response = std::move(response); }
  std::unique_ptr<http::BodyStream> Stream(http::Response, absl::AnyInvocable<void() &&>) override {
    return nullptr;
  }
  std::unique_ptr<http::WebSocket> Upgrade(http::Headers, http::WebSocketEvents) override {
    return nullptr;
  }
  void OnGone(absl::AnyInvocable<void() &&> callback) override {
    outcome_.on_gone = std::move(callback);
  }

 private:
  Outcome& outcome_;
};

// 00000000-0000-0000-0000-000000000001 and so on.
class CountingIds final : public IdSource {
 public:
  Uuid New() override {
    Uuid id;
    id.bytes[15] = ++last_;
    return id;
  }

 private:
  std::uint8_t last_ = 0;
};

inline constexpr char kFirstId[] = "00000000-0000-0000-0000-000000000001";

}  // namespace god33::gateway
