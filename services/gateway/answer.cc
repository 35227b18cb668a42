#include "services/gateway/answer.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "http/status.h"
#include "rpc/status.h"

namespace god33::gateway {
namespace {

std::string_view RefusalReason(int status) {
  switch (status) {
    case 400:
      return "MALFORMED_REQUEST";
    case 408:
      return "REQUEST_TIMEOUT";
    case 413:
      return "BODY_TOO_LARGE";
    case 417:
      return "EXPECTATION_FAILED";
    case 431:
      return "HEADER_TOO_LARGE";
    default:
      return "INTERNAL";
  }
}

}  // namespace

http::Response JsonAnswer(int status, std::string json) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json; charset=utf-8"}},
          .body = std::move(json)};
}

http::Response ProblemAnswer(const transcode::Problem& problem) {
  return {.status = problem.status,
          .headers = {{"Content-Type", transcode::kProblemType}},
          .body = transcode::ToJson(problem)};
}

http::Response NotAllowed(const std::string& path, const std::string& allow) {
  http::Response response = ProblemAnswer({.status = 405,
                                           .detail = StrCat("this path answers ", allow),
                                           .reason = "METHOD_NOT_ALLOWED",
                                           .instance = path});
  response.headers.emplace_back("Allow", allow);
  return response;
}

http::Response RefusalAnswer(int status, std::string_view detail, const std::string& request_id) {
  http::Response response = ProblemAnswer({.status = status,
                                           .detail = std::string(detail),
                                           .reason = std::string(RefusalReason(status))});
  response.headers.emplace_back("X-Request-Id", request_id);
  return response;
}

absl::Status CallError(const grpc::Status& status, const std::string& service,
                       absl::Duration timeout) {
  // Our services always send details (rpc/status.h); gRPC itself never does.
  if (!status.error_details().empty()) return rpc::FromGrpc(status);
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return MakeError(absl::StatusCode::kUnavailable, "SERVICE_UNAVAILABLE",
                       StrCat(service, " can't be reached now"));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::DeadlineExceededError(
          StrCat(service, " did not answer within ", absl::FormatDuration(timeout)));
    case grpc::StatusCode::CANCELLED:
      return absl::CancelledError("the request was cancelled");
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError(StrCat(service, " does not know this method"));
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return MakeError(absl::StatusCode::kOutOfRange, "MESSAGE_TOO_LARGE",
                       "the request or its answer is too large; ask for less at once");
    default:
      return absl::InternalError(status.error_message());
  }
}

}  // namespace god33::gateway
