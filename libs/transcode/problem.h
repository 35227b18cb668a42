#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace god33::transcode {

inline constexpr char kProblemType[] = "application/problem+json";

// An error as an HTTP client sees it (RFC 9457).
struct Problem {
  int status = 500;
  std::string detail;    // for people
  std::string reason;    // stable, UPPER_SNAKE, for programs
  std::string field;     // of the request, at fault; empty: none
  std::string instance;  // the request's path, as sent; empty: it is not known
};

// The HTTP status of a canonical code, after google/rpc/code.proto. OUT_OF_RANGE with the reason
// `RETENTION` is 410: what was asked for has been there. FAILED_PRECONDITION with IDEMPOTENCY_KEY_REUSED is
// 422, as the Idempotency-Key draft wants it.
int HttpStatusOf(const absl::Status& status);

// The problem that an error is. What an internal one (INTERNAL, UNKNOWN, DATA_LOSS) says is not for
// clients: they get a sentence with the request's id, by which the log has the rest.
Problem ToProblem(const absl::Status& status, std::string_view instance,
                  std::string_view request_id);

// {"type":"about:blank","title":<the status's phrase>,"status":...,"detail":...,"reason":...,
// "field":..., "instance":...}; field and instance only if they are not empty.
std::string ToJson(const Problem& problem);

}  // namespace god33::transcode
