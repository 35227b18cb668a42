#include "services/gateway/grpc_upstreams.h"

#include <catch2/catch.hpp>

#include <grpcpp/grpcpp.h>

#include "absl/synchronization/notification.h"
#include "base/stop.h"
#include "base/strings.h"
#include "god33/store/v1/event_store.grpc.pb.h"

namespace god33::gateway {
namespace {

using store::v1::GetEventRequest;
using store::v1::GetEventResponse;

constexpr char kService[] = "event-store-api";
constexpr absl::Duration kPatience = absl::Seconds(10);

// Answers GetEvent with the request's x-request-id as event type; "wait" waits for its
// cancellation.
class EventStore final : public store::v1::EventStoreService::Service {
 public:
  explicit EventStore(int port = 0) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(StrCat("127.0.0.1:", port), grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }

  int port() const { return port_; }

  grpc::Status GetEvent(grpc::ServerContext* context, const GetEventRequest* request,
                        GetEventResponse* response) override {
    if (request->event_id() == "wait") {
      arrived.Notify();
      const Stop never;
      while (!context->IsCancelled()) never.WaitFor(absl::Milliseconds(1));
      cancelled.Notify();
    }
    const auto id = context->client_metadata().find("x-request-id");
    response->mutable_event()->set_event_id(request->event_id());
    response->mutable_event()->set_event_type(std::string(id->second.data(), id->second.size()));
    return grpc::Status::OK;
  }

  absl::Notification arrived;
  absl::Notification cancelled;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// One call and its outcome.
struct Call {
  Call(Upstreams& upstreams, const std::string& event_id, absl::Duration timeout = kPatience) {
    request.set_event_id(event_id);
    cancel = upstreams.Start({.service = kService,
                              .method = "/god33.store.v1.EventStoreService/GetEvent",
                              .metadata = {{"x-request-id", "id-1"}},
                              .timeout = timeout,
                              .request = &request,
                              .response = &response},
                             [this](grpc::Status result) {
                               status = std::move(result);
                               ended.Notify();
                             });
  }

  grpc::StatusCode Wait() {
    REQUIRE(ended.WaitForNotificationWithTimeout(2 * kPatience));
    return status.error_code();
  }

  GetEventRequest request;
  GetEventResponse response;
  Upstreams::Cancel cancel;
  grpc::Status status;
  absl::Notification ended;
};

TEST_CASE("a call reaches its service with its metadata and brings the answer") {
  const EventStore store;
  GrpcUpstreams upstreams({{kService, StrCat("127.0.0.1:", store.port())}});
  Call call(upstreams, "e1");
  CHECK(call.Wait() == grpc::StatusCode::OK);
  CHECK(call.response.event().event_id() == "e1");
  CHECK(call.response.event().event_type() == "id-1");
  call.cancel();  // too late, and harmless
}

TEST_CASE("a cancelled call ends on both sides") {
  EventStore store;
  GrpcUpstreams upstreams({{kService, StrCat("127.0.0.1:", store.port())}});
  Call call(upstreams, "wait");
  REQUIRE(store.arrived.WaitForNotificationWithTimeout(kPatience));
  call.cancel();
  CHECK(call.Wait() == grpc::StatusCode::CANCELLED);
  CHECK(store.cancelled.WaitForNotificationWithTimeout(kPatience));
  upstreams.AwaitIdle();
}

TEST_CASE("a call that takes too long ends") {
  const EventStore store;
  GrpcUpstreams upstreams({{kService, StrCat("127.0.0.1:", store.port())}});
  Call call(upstreams, "wait", absl::Milliseconds(50));
  CHECK(call.Wait() == grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_CASE("a service that is away fails the call at once and is found when it is back") {
  auto store = std::make_unique<EventStore>();
  const int port = store->port();
  GrpcUpstreams upstreams({{kService, StrCat("127.0.0.1:", port)}});
  CHECK(Call(upstreams, "e1").Wait() == grpc::StatusCode::OK);
  store.reset();
  CHECK(Call(upstreams, "e2").Wait() == grpc::StatusCode::UNAVAILABLE);
  store = std::make_unique<EventStore>(port);
  const Stop never;
  int tries = 0;
  while (Call(upstreams, "e3").Wait() != grpc::StatusCode::OK) {
    REQUIRE(++tries < 1000);
    never.WaitFor(absl::Milliseconds(10));
  }
}

TEST_CASE("a service without an address is not configured") {
  const GrpcUpstreams upstreams({{kService, "127.0.0.1:1"}, {"director-service", ""}});
  CHECK(upstreams.IsConfigured(kService));
  CHECK_FALSE(upstreams.IsConfigured("director-service"));
  CHECK_FALSE(upstreams.IsConfigured("other"));
}

}  // namespace
}  // namespace god33::gateway
