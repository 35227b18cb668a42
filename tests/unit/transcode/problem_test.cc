#include "transcode/problem.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace god33::transcode {
namespace {

using absl::StatusCode;

TEST_CASE("a problem is RFC 9457 with reason and field") {
  const Problem problem =
      ToProblem(InvalidField("limit", "expected 1 to 1000"), "/api/v1/events", "id-1");
  CHECK(ToJson(problem) ==
        R"({"type":"about:blank","title":"Bad Request","status":400,)"
        R"("detail":"limit: expected 1 to 1000","reason":"INVALID_ARGUMENT","field":"limit",)"
        R"("instance":"/api/v1/events"})");
}

TEST_CASE("a problem without a field leaves it out") {
  const Problem problem =
      ToProblem(MakeError(StatusCode::kNotFound, "EVENT_NOT_FOUND", "no event x"), "/x", "id-1");
  CHECK(ToJson(problem) ==
        R"({"type":"about:blank","title":"Not Found","status":404,"detail":"no event x",)"
        R"("reason":"EVENT_NOT_FOUND","instance":"/x"})");
}

TEST_CASE("an internal error tells its request's id and nothing else") {
  for (const StatusCode code :
       {StatusCode::kInternal, StatusCode::kUnknown, StatusCode::kDataLoss}) {
    const Problem problem = ToProblem(
        MakeError(code, "BROKEN", "password=hunter2 at db:5432", "secret_field"), "/x", "id-1");
    const std::string json = ToJson(problem);
    CHECK(problem.status == 500);
    CHECK(json.find("hunter2") == std::string::npos);
    CHECK(json.find("secret_field") == std::string::npos);
    CHECK(json.find("id-1") != std::string::npos);
  }
}

TEST_CASE("canonical codes have their HTTP statuses") {
  for (const auto& [code, status] : {
           std::pair{StatusCode::kInvalidArgument, 400},
           {StatusCode::kFailedPrecondition, 400},
           {StatusCode::kOutOfRange, 400},
           {StatusCode::kUnauthenticated, 401},
           {StatusCode::kPermissionDenied, 403},
           {StatusCode::kNotFound, 404},
           {StatusCode::kAlreadyExists, 409},
           {StatusCode::kAborted, 409},
           {StatusCode::kResourceExhausted, 429},
           {StatusCode::kCancelled, 499},
           {StatusCode::kInternal, 500},
           {StatusCode::kUnknown, 500},
           {StatusCode::kDataLoss, 500},
           {StatusCode::kUnimplemented, 501},
           {StatusCode::kUnavailable, 503},
           {StatusCode::kDeadlineExceeded, 504},
           {static_cast<StatusCode>(77), 500},
       }) {
    CHECK(HttpStatusOf(absl::Status(code, "x")) == status);
  }
  CHECK(HttpStatusOf(absl::OkStatus()) == 200);
  CHECK(HttpStatusOf(MakeError(StatusCode::kOutOfRange, "RETENTION", "gone")) == 410);
  CHECK(HttpStatusOf(MakeError(StatusCode::kFailedPrecondition, "IDEMPOTENCY_KEY_REUSED", "x")) ==
        422);
}

TEST_CASE("text from outside can't break the JSON") {
  const Problem problem{.status = 400, .detail = "a\"b\n\xff", .reason = "R", .instance = "/\\"};
  CHECK(ToJson(problem) ==
        "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"detail\":\"a\\\"b\\n"
        "\xEF\xBF\xBD\",\"reason\":\"R\",\"instance\":\"/\\\\\"}");
}

}  // namespace
}  // namespace god33::transcode
