#include "transcode/problem.h"

#include "base/error.h"
#include "base/strings.h"
#include "http/status.h"
#include "json/write.h"

namespace god33::transcode {
namespace {

bool IsInternal(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

}  // namespace

int HttpStatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kFailedPrecondition:
      return ReasonOf(status) == "IDEMPOTENCY_KEY_REUSED" ? 422 : 400;
    case absl::StatusCode::kOutOfRange:
      return ReasonOf(status) == "RETENTION" ? 410 : 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

Problem ToProblem(const absl::Status& status, std::string_view instance,
                  std::string_view request_id) {
  const bool internal = IsInternal(status.code());
  return Problem{
      .status = HttpStatusOf(status),
      .detail = internal
                    ? StrCat("Something went wrong inside; the log has it under the request id ",
                             request_id)
                    : std::string(MessageOf(status)),
      .reason = ReasonOf(status),
      .field = internal ? std::string() : FieldOf(status),
      .instance = std::string(instance)};
}

std::string ToJson(const Problem& problem) {
  std::string text;
  json::Writer writer(text);
  writer.BeginObject();
  writer.Key("type");
  writer.String("about:blank");
  writer.Key("title");
  writer.String(http::ReasonPhrase(problem.status));
  writer.Key("status");
  writer.Int(problem.status);
  writer.Key("detail");
  writer.String(problem.detail);
  writer.Key("reason");
  writer.String(problem.reason);
  if (!problem.field.empty()) {
    writer.Key("field");
    writer.String(problem.field);
  }
  if (!problem.instance.empty()) {
    writer.Key("instance");
    writer.String(problem.instance);
  }
  writer.EndObject();
  return text;
}

}  // namespace god33::transcode
