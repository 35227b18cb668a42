#include "services/gateway/answer.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "rpc/status.h"

namespace god33::gateway {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(30);

TEST_CASE("what a service says about itself is passed on") {
  const absl::Status said = MakeError(absl::StatusCode::kUnavailable, "DATABASE_UNAVAILABLE",
                                      "the database is away", "f");
  const absl::Status passed = CallError(rpc::ToGrpc(said), "event-store-api", kTimeout);
  CHECK(passed.code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(passed) == "DATABASE_UNAVAILABLE");
  CHECK(MessageOf(passed) == "the database is away");
  CHECK(FieldOf(passed) == "f");
}

TEST_CASE("what gRPC says about connections is not passed on") {
  for (const auto code : {grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::DEADLINE_EXCEEDED,
                          grpc::StatusCode::CANCELLED, grpc::StatusCode::UNIMPLEMENTED,
                          grpc::StatusCode::RESOURCE_EXHAUSTED}) {
    const absl::Status error =
        CallError(grpc::Status(code, "failed to connect to ipv4:10.0.0.1:50051"), "x", kTimeout);
    CHECK(MessageOf(error).find("10.0.0.1") == std::string_view::npos);
  }
}

TEST_CASE("failures of the connection have reasons of their own") {
  const auto reason = [](grpc::StatusCode code) {
    return ReasonOf(CallError(grpc::Status(code, "m"), "x", kTimeout));
  };
  CHECK(reason(grpc::StatusCode::UNAVAILABLE) == "SERVICE_UNAVAILABLE");
  CHECK(reason(grpc::StatusCode::DEADLINE_EXCEEDED) == "DEADLINE_EXCEEDED");
  CHECK(reason(grpc::StatusCode::RESOURCE_EXHAUSTED) == "MESSAGE_TOO_LARGE");
  CHECK(reason(grpc::StatusCode::UNKNOWN) == "INTERNAL");
}

TEST_CASE("refusals of the HTTP server are problems with an id") {
  const http::Response response = RefusalAnswer(413, "too long", "id-1");
  CHECK(response.status == 413);
  CHECK(http::Find(response.headers, "Content-Type") == "application/problem+json");
  CHECK(http::Find(response.headers, "X-Request-Id") == "id-1");
  CHECK(response.body == R"({"type":"about:blank","title":"Content Too Large","status":413,)"
                         R"("detail":"too long","reason":"BODY_TOO_LARGE"})");
}

}  // namespace
}  // namespace god33::gateway
