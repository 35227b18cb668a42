#pragma once

#include <grpcpp/support/status.h>

#include <functional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "auth/principal.h"
#include "google/protobuf/message.h"

namespace god33::gateway {

// A unary call to be made.
struct UpstreamCall {
  std::string service;  // the executable's name, "event-store-api"
  std::string method;   // "/god33.store.v1.EventStoreService/ListEvents"
  auth::Metadata metadata;
  absl::Duration timeout;
  const google::protobuf::Message* request = nullptr;  // must live until `done` has run, ...
  google::protobuf::Message* response = nullptr;       // ... as must this
};

// The services behind the gateway, by the names of their executables. Thread-safe.
class Upstreams {
 public:
  virtual ~Upstreams() = default;

  // Whether the service has an address.
  virtual bool IsConfigured(const std::string& service) const = 0;

  // Ends a call early; harmless when it has ended.
  using Cancel = std::function<void()>;

  // Starts a call of a configured service and returns at once. `done` runs once, on a thread of its
  // own, with the status as gRPC gave it.
  virtual Cancel Start(const UpstreamCall& call,
                       absl::AnyInvocable<void(grpc::Status) &&> done) = 0;
};

}  // namespace god33::gateway
