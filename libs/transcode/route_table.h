#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "transcode/path_template.h"

namespace god33::transcode {

// The fields that a dotted path names, from the outermost.
using FieldPath = std::vector<const google::protobuf::FieldDescriptor*>;

// One binding of google.api.http: requests of this verb and path are calls of this method.
struct Route {
  const google::protobuf::MethodDescriptor* method = nullptr;
  std::string verb;  // "GET"; "*" for any (a custom pattern)
  PathTemplate path;
  std::vector<FieldPath> variables;  // in the order of path.variables()
  bool whole_body = false;           // body: "*"
  const google::protobuf::FieldDescriptor* body_field = nullptr;      // body: "<field>"
  const google::protobuf::FieldDescriptor* response_field = nullptr;  // null: the whole answer

  // The body is a JSON array.
  bool takes_list() const { return body_field != nullptr && body_field->is_repeated(); }
};

// What a request's verb and path lead to.
struct Match {
  const Route* route = nullptr;        // null: none
  std::vector<std::string> variables;  // decoded, in the order of route->variables
  std::string allow;  // without a route: the verbs that the path has, e.g. "GET, HEAD"; or empty
};

// The routes of gRPC services, compiled from their google.api.http annotations; methods without one
// have none. Immutable, so thread-safe.
class RouteTable {
 public:
  // InvalidArgument, with the method's name, for an annotation that can't work: bad template,
  // unknown field, a path variable that is a list or a message, a streaming method. Also for a
  // clash: two bindings that match the same requests; it names both methods. One whose body is a list and
  // one whose body isn't don't clash.
  static absl::StatusOr<RouteTable> Compile(
      const std::vector<const google::protobuf::ServiceDescriptor*>& services);

  // The most specific route (see IsMoreSpecific) for a path as sent, without its query. HEAD finds
  // the routes of GET. Of two that differ in that only, the one that takes such a body, a list or not.
  // InvalidArgument for a variable that can't be decoded.
  absl::StatusOr<Match> Find(std::string_view verb, std::string_view path,
                             std::string_view body = {}) const;

  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;  // the most specific first
};

}  // namespace god33::transcode
