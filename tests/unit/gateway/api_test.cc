#include "services/gateway/api.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"
#include "god33/rpc/v1/options.pb.h"
#include "god33/store/v1/event_store.pb.h"
#include "google/api/annotations.pb.h"
#include "google/protobuf/descriptor.pb.h"
#include "services/gateway/metrics.h"
#include "services/gateway/services.h"
#include "unit/gateway/fakes.h"

namespace god33::gateway {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptorProto;
using store::v1::GetDescendantsResponse;

class Gateway {
 public:
  // The answer to one GET, for which the service answers what `fill` makes.
  template <typename Answer>
  http::Response Get(const std::string& path, const std::function<void(Answer&)>& fill) {
    Outcome outcome;
    api_->Handle(std::make_shared<Exchange>(http::Request{.method = "GET", .path = path},
                                            std::make_unique<FakeResponder>(outcome), "id", cors_,
                                            metrics_));
    auto& started = upstreams_.calls.at(0);
    fill(dynamic_cast<Answer&>(*started.call.response));
    std::move(started.done)(grpc::Status::OK);
    return outcome.response;
  }

 private:
  const Cors cors_{};
  prometheus::Registry registry_;
  Metrics metrics_{registry_};
  FakeUpstreams upstreams_{{"event-store-api"}};
  std::unique_ptr<Api> api_ = *Api::Create(Services(), upstreams_, absl::Seconds(30));
};

constexpr char kPath[] = "/api/v1/events/e1/descendants";

TEST_CASE("of an answer_oneof the message that is set is the whole answer") {
  const auto response = Gateway().Get<GetDescendantsResponse>(kPath, [](auto& answer) {
    answer.mutable_graph()->add_nodes()->set_event_id("e1");
    answer.mutable_graph()->set_position(7);
  });
  CHECK(response.status == 200);
  CHECK(response.body.starts_with(R"({"nodes":[{"event_id":"e1",)"));
  CHECK(response.body.ends_with(R"("edges":[],"truncated":false,"position":7})"));
}

TEST_CASE("JSON in an answer_oneof is the answer as it is") {
  const std::string json = R"({"event":{"n":1.10},"depth":0,"truncated":false,"children":[]})";
  const auto response = Gateway().Get<GetDescendantsResponse>(
      kPath, [&json](auto& answer) { answer.mutable_tree()->set_text(json); });
  CHECK(response.status == 200);
  CHECK(response.body == json);
}

TEST_CASE("an answer_oneof that is not set is an error of the service") {
  CHECK(Gateway().Get<GetDescendantsResponse>(kPath, [](auto&) {}).status == 500);
}

TEST_CASE("an answer_oneof that the response does not have stops the start") {
  for (const char* oneof : {"result", "no_such_oneof"}) {
    FileDescriptorProto file;
    file.set_name("test.proto");
    file.set_package("test");
    file.set_syntax("proto3");
    file.add_dependency("god33/store/v1/causation.proto");
    auto& service = *file.add_service();
    service.set_name("Service");
    auto& method = *service.add_method();
    method.set_name("Get");
    method.set_input_type(".god33.store.v1.GetDescendantsRequest");
    method.set_output_type(".god33.store.v1.GetDescendantsResponse");
    method.mutable_options()->MutableExtension(google::api::http)->set_get("/test");
    auto& rule = *method.mutable_options()->MutableExtension(rpc::v1::method);
    rule.set_served_by("event-store-api");
    rule.set_answer_oneof(oneof);
    DescriptorPool pool(DescriptorPool::generated_pool());
    const auto* built = pool.BuildFile(file);
    REQUIRE(built != nullptr);

    FakeUpstreams upstreams({"event-store-api"});
    const auto api = Api::Create({built->service(0)}, upstreams, absl::Seconds(1));
    CAPTURE(oneof);
    CHECK(api.ok() == (std::string(oneof) == "result"));
    if (!api.ok()) {
      CHECK(MessageOf(api.status()).find("test.Service.Get") != std::string_view::npos);
      CHECK(MessageOf(api.status()).find(oneof) != std::string_view::npos);
    }
  }
}

}  // namespace
}  // namespace god33::gateway
