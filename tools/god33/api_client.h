#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "god33/letta/v1/letta_bridge.grpc.pb.h"
#include "god33/store/v1/dead_letters.grpc.pb.h"
#include "god33/store/v1/event_store.grpc.pb.h"
#include "god33/store/v1/replay.grpc.pb.h"
#include "god33/workflow/v1/workflow.grpc.pb.h"

namespace god33::cli {

// A channel that gives up connecting after 5 s. It connects when it is first used.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address);

// A deadline that does not care about jumps of the wall clock.
void SetTimeout(grpc::ClientContext& context, absl::Duration timeout);

// gRPC tells what went wrong as a chain of causes, "...: ...: Connection refused"; this is the last
// one.
std::string_view LastCause(std::string_view message);

// A server that is asked, as errors name it.
struct Server {
  std::string name;     // event-store-api
  std::string address;  // host:port
  std::string where;    // what says where it is, for the hint
};

Server EventStoreApi(const std::string& address);

// Of GOD33_EVENT_STORE_MANAGER_ADDR.
Server EventStoreManager();

// Of GOD33_LETTA_BRIDGE_ADDR.
Server LettaBridge();

// What the user is told of a call that has ended.
absl::Status ErrorOf(const grpc::Status& status, const Server& server, absl::Duration timeout);

// Whether what ended with this may be tried again: who follows or watches goes on after it.
bool GoesOnAfter(const absl::Status& status);

// Asks a gRPC service. Calls block, each at most for `timeout`.
template <typename Service>
class ServiceClient {
 public:
  using Stub = typename Service::Stub;

  ServiceClient(Server server, absl::Duration timeout)
      : server_(std::move(server)), timeout_(timeout), stub_(OpenChannel(server_.address)) {}

  template <typename Request, typename Response>
  using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

  // One call, e.g. Call(&ApiClient::Stub::GetEvent, request). The errors are the service's, with
  // their reasons; UNAVAILABLE and DEADLINE_EXCEEDED of the connection have a hint.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(Method<Request, Response> method, const Request& request) {
    grpc::ClientContext context;
    SetTimeout(context, timeout_);
    Response response;
    const grpc::Status status = (stub_.*method)(&context, request, &response);
    if (!status.ok()) return ErrorOf(status, server_, timeout_);
    return response;
  }

  // How a call has ended, as Call() would say it.
  absl::Status EndOf(const grpc::Status& status) const {
    return ErrorOf(status, server_, timeout_);
  }

 protected:
  Stub& stub() { return stub_; }

 private:
  Server server_;
  absl::Duration timeout_;
  Stub stub_;
};

// Asks event-store-api.
class ApiClient : public ServiceClient<store::v1::EventStoreService> {
 public:
  ApiClient(const std::string& address, absl::Duration timeout)
      : ServiceClient(EventStoreApi(address), timeout) {}

  // Begins to follow the log. Without a deadline: the caller ends it by the context.
  std::unique_ptr<grpc::ClientReader<store::v1::StreamEventsResponse>> Stream(
      grpc::ClientContext& context, const store::v1::StreamEventsRequest& request) {
    return stub().StreamEvents(&context, request);
  }
};

// Asks event-store-manager about dead letters.
using DeadLetterClient = ServiceClient<store::v1::DeadLetterService>;

// Asks letta-bridge.
using LettaClient = ServiceClient<letta::v1::LettaBridgeService>;

// Asks event-store-manager about replays.
using ReplayClient = ServiceClient<store::v1::ReplayService>;

// Steers workflows, by event-store-manager.
using WorkflowClient = ServiceClient<workflow::v1::WorkflowService>;

}  // namespace god33::cli
