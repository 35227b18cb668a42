#pragma once

#include <set>
#include <string>
#include <vector>

#include "god33/rpc/v1/options.pb.h"
#include "google/protobuf/descriptor.h"

namespace god33::gateway {

// The gRPC services that the gateway shows as REST. A further one is one line here, and nothing
// else.
const std::vector<const google::protobuf::ServiceDescriptor*>& Services();

// Who serves a method, and the status of its success: the option (god33.rpc.v1.method).
const rpc::v1::MethodRule& RuleOf(const google::protobuf::MethodDescriptor& method);

// The executables that serve methods of these services, by name.
std::set<std::string> ServedBy(
    const std::vector<const google::protobuf::ServiceDescriptor*>& services);

// Those of them that a plane can be without: it has no address of one, or one is away, and the rest serves.
const std::set<std::string>& MinorServices();

// The method behind the live route.
struct LiveMethod {
  std::string service;  // the executable
  std::string path;     // "/god33.store.v1.EventStoreService/StreamEvents"
};
LiveMethod StreamMethod();

}  // namespace god33::gateway
