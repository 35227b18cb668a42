#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "god33/store/v1/event_store.grpc.pb.h"

namespace god33::cli {

// A channel that gives up connecting after 5 s. It connects when it is first used.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address);

// A deadline that does not care about jumps of the wall clock.
void SetTimeout(grpc::ClientContext& context, absl::Duration timeout);

// gRPC tells what went wrong as a chain of causes, "...: ...: Connection refused"; this is the last
// one.
std::string_view LastCause(std::string_view message);

// Asks event-store-api. Calls block, each at most for `timeout`.
class ApiClient {
 public:
  using Stub = store::v1::EventStoreService::Stub;

  ApiClient(std::string address, absl::Duration timeout)
      : address_(std::move(address)), timeout_(timeout), stub_(OpenChannel(address_)) {}

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
    if (!status.ok()) return ErrorOf(status);
    return response;
  }

  // Begins to follow the log. Without a deadline: the caller ends it by the context.
  std::unique_ptr<grpc::ClientReader<store::v1::StreamEventsResponse>> Stream(
      grpc::ClientContext& context, const store::v1::StreamEventsRequest& request) {
    return stub_.StreamEvents(&context, request);
  }

  // How a call has ended, as Call() would say it.
  absl::Status ErrorOf(const grpc::Status& status) const;

 private:
  std::string address_;
  absl::Duration timeout_;
  Stub stub_;
};

}  // namespace god33::cli
