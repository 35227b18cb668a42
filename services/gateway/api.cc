#include "services/gateway/api.h"

#include <google/protobuf/arena.h>

#include <atomic>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/error.h"
#include "base/strings.h"
#include "http/url.h"
#include "proto/documentation.h"
#include "services/gateway/answer.h"
#include "services/gateway/call_metadata.h"
#include "services/gateway/hand_made_routes.h"
#include "services/gateway/services.h"
#include "transcode/openapi.h"
#include "transcode/request.h"

namespace god33::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::ServiceDescriptor;

const Message* Prototype(const Descriptor* type) {
  return MessageFactory::generated_factory()->GetPrototype(type);
}

// Whether the body is JSON, or may be taken for it.
bool IsJson(const http::Headers& headers) {
  const std::string_view header = http::Find(headers, "Content-Type");
  const std::string_view type = header.substr(0, header.find(';'));
  return header.empty() ||
         absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(ToAbsl(type)), "application/json");
}

void RefuseRoute(Exchange& exchange, const std::string& allow) {
  const http::Request& request = exchange.request();
  if (allow.empty()) {
    return exchange.Fail(transcode::Problem{.status = 404,
                                            .detail = "there is nothing at this path",
                                            .reason = "ROUTE_NOT_FOUND",
                                            .instance = request.path});
  }
  exchange.Send(NotAllowed(request.path, allow));
}

}  // namespace

// A call under way, with all that it reads and writes.
struct Api::Pending {
  std::shared_ptr<Exchange> exchange;
  google::protobuf::Arena arena;
  Message* request = nullptr;
  Message* response = nullptr;
};

Api::Api(transcode::RouteTable table, Upstreams& upstreams, absl::Duration timeout)
    : table_(std::move(table)), upstreams_(upstreams), timeout_(timeout) {}

absl::StatusOr<std::unique_ptr<Api>> Api::Create(
    const std::vector<const ServiceDescriptor*>& services, Upstreams& upstreams,
    absl::Duration timeout) {
  auto table = transcode::RouteTable::Compile(services);
  if (!table.ok()) return table.status();
  std::unique_ptr<Api> api(new Api(*std::move(table), upstreams, timeout));
  for (const transcode::Route& route : api->table_.routes()) {
    if (absl::Status status = api->AddEndpoint(route); !status.ok()) return status;
  }
  return api;
}

absl::Status Api::AddEndpoint(const transcode::Route& route) {
  const rpc::v1::MethodRule& rule = RuleOf(*route.method);
  if (rule.served_by().empty()) {
    return InvalidArgument(
        StrCat(route.method->full_name(), ": (god33.rpc.v1.method).served_by is missing"));
  }
  Endpoint& endpoint = endpoints_.emplace_back(Endpoint{
      .service = rule.served_by(),
      .method = StrCat("/", route.method->service()->full_name(), "/", route.method->name()),
      .success_status = rule.http_status() == 0 ? 200 : rule.http_status(),
      .tagged = rule.etag(),
      .request = Prototype(route.method->input_type()),
      .response = Prototype(route.method->output_type()),
      .writer = transcode::JsonWriter(*route.method->output_type(), route.response_field)});
  if (rule.answer_oneof().empty()) return absl::OkStatus();
  const Descriptor& answer = *route.method->output_type();
  endpoint.oneof = answer.FindOneofByName(rule.answer_oneof());
  if (endpoint.oneof == nullptr || route.response_field != nullptr) {
    return InvalidArgument(StrCat(
        route.method->full_name(), ": (god33.rpc.v1.method).answer_oneof: expected a oneof of ",
        answer.full_name(), " and no response_body, got \"", rule.answer_oneof(), "\""));
  }
  for (int i = 0; i < endpoint.oneof->field_count(); ++i) {
    endpoint.oneof_writers.emplace_back(answer, endpoint.oneof->field(i));
  }
  return absl::OkStatus();
}

std::string Api::OpenApi() const {
  const transcode::OpenApiInfo info = {
      .title = "33GOD coordination plane",
      .version = "1",
      .description = "Events, workflows and agents, as REST. The same as gRPC: god33.store.v1."};
  return transcode::WriteOpenApi(table_, HandMadeRoutes(), info, ProtoDocumentation());
}

std::string Api::AllowedOn(const std::string& path) const {
  const auto match = table_.Find("OPTIONS", path);
  return match.ok() ? match->allow : "";
}

absl::StatusOr<std::string> Api::Endpoint::BodyOf(const Message& answer) const {
  std::string json;
  if (oneof == nullptr) {
    writer.Append(json, answer);
    return json;
  }
  const auto* field = answer.GetReflection()->GetOneofFieldDescriptor(answer, oneof);
  if (field == nullptr) {
    return MakeError(absl::StatusCode::kInternal, "INTERNAL",
                     StrCat(service, " answered without a ", oneof->name()));
  }
  oneof_writers[static_cast<std::size_t>(field->index_in_oneof())].Append(json, answer);
  return json;
}

void Api::Handle(std::shared_ptr<Exchange> exchange) const {
  const http::Request& request = exchange->request();
  const auto match = table_.Find(request.method, request.path, request.body);
  if (!match.ok()) return exchange->Fail(match.status());
  if (match->route == nullptr) return RefuseRoute(*exchange, match->allow);
  exchange->set_route(match->route->path.text());
  if (request.method != "GET" && request.method != "HEAD" && !IsJson(request.headers)) {
    return exchange->Fail(transcode::Problem{.status = 415,
                                             .detail = "expected Content-Type: application/json",
                                             .reason = "UNSUPPORTED_MEDIA_TYPE",
                                             .instance = request.path});
  }
  Call(*match, std::move(exchange));
}

void Api::Call(const transcode::Match& match, std::shared_ptr<Exchange> exchange) const {
  const Endpoint& endpoint =
      endpoints_[static_cast<std::size_t>(match.route - table_.routes().data())];
  if (!upstreams_.IsConfigured(endpoint.service)) {
    return exchange->Fail(MakeError(absl::StatusCode::kUnavailable, "SERVICE_NOT_CONFIGURED",
                                    StrCat(endpoint.service, " is not part of this installation")));
  }
  if (endpoint.tagged) exchange->set_tagged();
  const http::Request& request = exchange->request();
  const auto pending = std::make_shared<Pending>();
  pending->request = endpoint.request->New(&pending->arena);
  pending->response = endpoint.response->New(&pending->arena);
  const auto query = http::ParseQuery(request.query);
  if (!query.ok()) return exchange->Fail(query.status());
  if (absl::Status status = transcode::ReadRequest(match, *query, request.body, *pending->request);
      !status.ok()) {
    return exchange->Fail(status);
  }
  pending->exchange = std::move(exchange);
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  Upstreams::Cancel cancel = upstreams_.Start(
      {.service = endpoint.service,
       .method = endpoint.method,
       .metadata = CallMetadata(auth::Principal{}, pending->exchange->id(), request.headers),
       .timeout = timeout_,
       .request = pending->request,
       .response = pending->response},
      [this, pending, gone, &endpoint](const grpc::Status& status) {
        if (!status.ok()) {
          // A service that is stopping cancels calls, too; a client that waits is told it is away.
          const bool stopping = status.error_code() == grpc::StatusCode::CANCELLED && !*gone;
          return pending->exchange->Fail(
              CallError(stopping ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "") : status,
                        endpoint.service, timeout_),
              status.error_message());
        }
        auto body = endpoint.BodyOf(*pending->response);
        if (!body.ok()) return pending->exchange->Fail(body.status());
        pending->exchange->Send(JsonAnswer(endpoint.success_status, *std::move(body)));
      });
  pending->exchange->OnGone([gone, cancel = std::move(cancel)]() mutable {
    *gone = true;
    std::move(cancel)();
  });
}

}  // namespace god33::gateway
