#pragma once

#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
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

// A call whose answer is a stream, to be made.
struct UpstreamStreamCall {
  std::string service;
  std::string method;
  auth::Metadata metadata;
  std::unique_ptr<google::protobuf::Message> request;
  std::unique_ptr<google::protobuf::Message> response;  // each message is read into this one
};

// What comes of it. Each runs on a thread of its own, one at a time.
struct UpstreamStreamEvents {
  absl::AnyInvocable<void(const google::protobuf::Message& message)> message;

  // Once, as the last: the status as gRPC gave it.
  absl::AnyInvocable<void(grpc::Status) &&> done;
};

// A stream under way. Thread-safe.
class UpstreamStream {
 public:
  virtual ~UpstreamStream() = default;

  // Asks for the next message, or the end: none is read before, which is what slows the service down.
  // Once for each message.
  virtual void Next() = 0;

  // Ends it early; harmless when it has ended. Either this or the end, by Next, must come.
  virtual void Cancel() = 0;
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

  // Starts a call whose answer is a stream, which has no deadline.
  virtual std::shared_ptr<UpstreamStream> Open(UpstreamStreamCall call,
                                               UpstreamStreamEvents events) = 0;
};

}  // namespace god33::gateway
