#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "http/server.h"
#include "transcode/problem.h"

namespace god33::gateway {

// An answer with a JSON body.
http::Response JsonAnswer(int status, std::string json);

// An error as application/problem+json.
http::Response ProblemAnswer(const transcode::Problem& problem);

// 405 for a path that answers other verbs: `allow`, "GET, HEAD".
http::Response NotAllowed(const std::string& path, const std::string& allow);

// The wording of what the HTTP server refuses by itself (http::Options::refusal).
http::Response RefusalAnswer(int status, std::string_view detail, const std::string& request_id);

// The error that a failed call is for the client. What our services say about themselves is passed
// on; what gRPC says about connections is not, since it names addresses: the sentence is our own
// then.
absl::Status CallError(const grpc::Status& status, const std::string& service,
                       absl::Duration timeout);

}  // namespace god33::gateway
