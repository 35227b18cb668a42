#include "services/gateway/cors.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "base/error.h"
#include "base/strings.h"

namespace god33::gateway {
namespace {

constexpr char kRequestHeaders[] =
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, traceparent, "
    "X-Request-Id";
constexpr char kAnswerHeaders[] = "ETag, Retry-After, X-Request-Id";
constexpr char kMaxAgeSeconds[] = "600";

// scheme://host[:port], as browsers send it: without a path, in lower case.
bool IsOrigin(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return false;
  const std::string_view host = text.substr(scheme + 3);
  return !host.empty() && host.find_first_of("/?#@ ") == std::string_view::npos &&
         std::none_of(text.begin(), text.end(), absl::ascii_isupper);
}

}  // namespace

absl::StatusOr<Cors> Cors::Parse(std::string_view origins) {
  Cors cors;
  for (const absl::string_view part : absl::StrSplit(ToAbsl(origins), ',')) {
    const absl::string_view origin = absl::StripAsciiWhitespace(part);
    if (origin.empty()) continue;
    if (origin == "*") {
      cors.all_ = true;
    } else if (IsOrigin(ToStd(origin))) {
      cors.origins_.emplace_back(origin);
    } else {
      return InvalidArgument(
          StrCat("expected origins such as https://app.example.org, got \"", origin, "\""));
    }
  }
  return cors;
}

bool Cors::IsPreflight(const http::Request& request) {
  return request.method == "OPTIONS" && !http::Find(request.headers, "Origin").empty() &&
         !http::Find(request.headers, "Access-Control-Request-Method").empty();
}

bool Cors::Allows(std::string_view origin) const {
  return !origin.empty() &&
         (all_ || std::find(origins_.begin(), origins_.end(), origin) != origins_.end());
}

http::Response Cors::Preflight(const http::Request& request, const std::string& allow) const {
  http::Response response{.status = 204};
  if (!Allows(http::Find(request.headers, "Origin"))) return response;
  response.headers = {{"Access-Control-Allow-Methods", allow},
                      {"Access-Control-Allow-Headers", kRequestHeaders},
                      {"Access-Control-Max-Age", kMaxAgeSeconds}};
  return response;
}

void Cors::Allow(const http::Request& request, http::Response& response) const {
  if (!all_ && origins_.empty()) return;
  // Also for an origin that gets nothing: a shared cache must not give it another one's answer.
  response.headers.emplace_back("Vary", "Origin");
  const std::string_view origin = http::Find(request.headers, "Origin");
  if (!Allows(origin)) return;
  response.headers.emplace_back("Access-Control-Allow-Origin", origin);
  response.headers.emplace_back("Access-Control-Expose-Headers", kAnswerHeaders);
}

}  // namespace god33::gateway
