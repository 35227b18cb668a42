#include "transcode/route_table.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/error.h"
#include "base/strings.h"
#include "google/api/annotations.pb.h"
#include "transcode/known_types.h"

namespace god33::transcode {
namespace {

using google::api::HttpRule;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

struct Pattern {
  std::string verb;
  std::string path;
};

absl::StatusOr<Pattern> ReadPattern(const HttpRule& rule) {
  switch (rule.pattern_case()) {
    case HttpRule::kGet:
      return Pattern{"GET", rule.get()};
    case HttpRule::kPut:
      return Pattern{"PUT", rule.put()};
    case HttpRule::kPost:
      return Pattern{"POST", rule.post()};
    case HttpRule::kDelete:
      return Pattern{"DELETE", rule.delete_()};
    case HttpRule::kPatch:
      return Pattern{"PATCH", rule.patch()};
    case HttpRule::kCustom:
      if (rule.custom().kind().empty()) return InvalidArgument("a custom pattern without a kind");
      return Pattern{rule.custom().kind(), rule.custom().path()};
    case HttpRule::PATTERN_NOT_SET:
      break;
  }
  return InvalidArgument("a binding without a pattern");
}

// A path variable's field: reached over messages, and itself a single value.
absl::StatusOr<FieldPath> ReadVariable(const Descriptor* message, std::string_view dotted) {
  FieldPath path;
  for (const absl::string_view name : absl::StrSplit(ToAbsl(dotted), '.')) {
    const FieldDescriptor* field =
        message == nullptr ? nullptr : message->FindFieldByName(std::string(name));
    if (field == nullptr) return InvalidArgument(StrCat("there is no field \"", dotted, "\""));
    if (field->is_repeated()) return InvalidArgument(StrCat("\"", dotted, "\" is a list"));
    path.push_back(field);
    message = IsSingleValue(*field) ? nullptr : field->message_type();
  }
  if (message != nullptr) return InvalidArgument(StrCat("\"", dotted, "\" is a message"));
  return path;
}

absl::StatusOr<const FieldDescriptor*> ReadField(const Descriptor* message,
                                                 const std::string& name) {
  const FieldDescriptor* field = message->FindFieldByName(name);
  if (field != nullptr) return field;
  return InvalidArgument(StrCat(message->full_name(), " has no field \"", name, "\""));
}

absl::StatusOr<Route> ReadRoute(const MethodDescriptor* method, const HttpRule& rule) {
  if (method->client_streaming() || method->server_streaming()) {
    return InvalidArgument("a streaming method can't have a binding");
  }
  const auto pattern = ReadPattern(rule);
  if (!pattern.ok()) return pattern.status();
  auto path = PathTemplate::Parse(pattern->path);
  if (!path.ok()) return path.status();
  Route route{.method = method, .verb = pattern->verb, .path = *std::move(path)};
  for (const PathTemplate::Variable& variable : route.path.variables()) {
    auto fields = ReadVariable(method->input_type(), variable.field_path);
    if (!fields.ok()) return fields.status();
    route.variables.push_back(*std::move(fields));
  }
  route.whole_body = rule.body() == "*";
  if (!rule.body().empty() && !route.whole_body) {
    const auto field = ReadField(method->input_type(), rule.body());
    if (!field.ok()) return field.status();
    route.body_field = *field;
  }
  if (!rule.response_body().empty()) {
    const auto field = ReadField(method->output_type(), rule.response_body());
    if (!field.ok()) return field.status();
    route.response_field = *field;
  }
  return route;
}

absl::Status AddRoutes(const MethodDescriptor* method, std::vector<Route>& routes) {
  if (!method->options().HasExtension(google::api::http)) return absl::OkStatus();
  const HttpRule& first = method->options().GetExtension(google::api::http);
  std::vector<const HttpRule*> rules = {&first};
  for (const HttpRule& more : first.additional_bindings()) rules.push_back(&more);
  for (const HttpRule* rule : rules) {
    auto route = ReadRoute(method, *rule);
    if (!route.ok()) return Prefixed(route.status(), StrCat(method->full_name(), ": "));
    routes.push_back(*std::move(route));
  }
  return absl::OkStatus();
}

absl::Status CheckClashes(const std::vector<Route>& routes) {
  std::map<std::tuple<std::string, std::string, bool>, const Route*> seen;
  for (const Route& route : routes) {
    const auto [other, added] =
        seen.emplace(std::tuple(route.verb, route.path.Shape(), route.takes_list()), &route);
    if (added) continue;
    return InvalidArgument(StrCat(other->second->method->full_name(), " and ",
                                  route.method->full_name(), " both answer ", route.verb, " ",
                                  route.path.Shape()));
  }
  return absl::OkStatus();
}

bool IsList(std::string_view body) {
  const std::size_t begin = body.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && body[begin] == '[';
}

// Whether two routes answer the same requests but for the kind of their bodies.
bool AreTwins(const Route& a, const Route& b) {
  return a.verb == b.verb && a.path.Shape() == b.path.Shape();
}

bool Answers(const Route& route, std::string_view verb) {
  return route.verb == verb || route.verb == "*" || (route.verb == "GET" && verb == "HEAD");
}

}  // namespace

absl::StatusOr<RouteTable> RouteTable::Compile(
    const std::vector<const ServiceDescriptor*>& services) {
  RouteTable table;
  for (const ServiceDescriptor* service : services) {
    for (int i = 0; i < service->method_count(); ++i) {
      if (absl::Status status = AddRoutes(service->method(i), table.routes_); !status.ok()) {
        return status;
      }
    }
  }
  if (absl::Status status = CheckClashes(table.routes_); !status.ok()) return status;
  std::stable_sort(table.routes_.begin(), table.routes_.end(), [](const Route& a, const Route& b) {
    if (IsMoreSpecific(a.path, b.path)) return true;
    if (IsMoreSpecific(b.path, a.path)) return false;
    if ((a.verb == "*") != (b.verb == "*")) return b.verb == "*";
    return std::pair(a.verb, a.path.Shape()) < std::pair(b.verb, b.path.Shape());
  });
  return table;
}

absl::StatusOr<Match> RouteTable::Find(std::string_view verb, std::string_view path,
                                       std::string_view body) const {
  const RawSegments segments = SplitPath(path);
  Match match;
  std::set<std::string> allowed;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (!routes_[i].path.Matches(segments)) continue;
    if (!Answers(routes_[i], verb)) {
      allowed.insert(routes_[i].verb);
      if (routes_[i].verb == "GET") allowed.insert("HEAD");
      continue;
    }
    // Twins stand next to each other.
    const bool twin = i + 1 < routes_.size() && AreTwins(routes_[i], routes_[i + 1]) &&
                      routes_[i].takes_list() != IsList(body);
    const Route& route = routes_[twin ? i + 1 : i];
    auto values = route.path.Extract(segments);
    if (!values.ok()) return values.status();
    match.route = &route;
    match.variables = *std::move(values);
    return match;
  }
  match.allow = absl::StrJoin(allowed, ", ");
  return match;
}

}  // namespace god33::transcode
