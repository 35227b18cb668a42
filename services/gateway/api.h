#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "services/gateway/exchange.h"
#include "services/gateway/upstreams.h"
#include "transcode/json_writer.h"
#include "transcode/route_table.h"

namespace god33::gateway {

// REST requests to gRPC calls and back, by the services' google.api.http annotations. Thread-safe.
class Api {
 public:
  // Errors are those of transcode::RouteTable::Compile, and a method with a route but without
  // served_by, or with an answer_oneof that its response does not have. `upstreams` must outlive it,
  // and the calls under way.
  static absl::StatusOr<std::unique_ptr<Api>> Create(
      const std::vector<const google::protobuf::ServiceDescriptor*>& services, Upstreams& upstreams,
      absl::Duration timeout);

  // The verbs that a path answers, "GET, HEAD"; empty if there is nothing at it.
  std::string AllowedOn(const std::string& path) const;

  // The description of all routes, an OpenAPI document.
  std::string OpenApi() const;

  // Answers, sooner or later; does not block.
  void Handle(std::shared_ptr<Exchange> exchange) const;

 private:
  // What is known of a route beforehand.
  struct Endpoint {
    std::string service;
    std::string method;
    int success_status = 200;
    bool tagged = false;
    const google::protobuf::Message* request = nullptr;  // prototypes
    const google::protobuf::Message* response = nullptr;
    transcode::JsonWriter writer;

    // Where the rule has an answer_oneof: the oneof, and writers of its fields in their order.
    const google::protobuf::OneofDescriptor* oneof = nullptr;
    std::vector<transcode::JsonWriter> oneof_writers = {};

    // The body of a successful answer. INTERNAL when the oneof is not set.
    absl::StatusOr<std::string> BodyOf(const google::protobuf::Message& answer) const;
  };
  struct Pending;

  Api(transcode::RouteTable table, Upstreams& upstreams, absl::Duration timeout);

  absl::Status AddEndpoint(const transcode::Route& route);
  void Call(const transcode::Match& match, std::shared_ptr<Exchange> exchange) const;

  const transcode::RouteTable table_;
  std::vector<Endpoint> endpoints_;  // in the order of table_.routes()
  Upstreams& upstreams_;
  const absl::Duration timeout_;
};

}  // namespace god33::gateway
