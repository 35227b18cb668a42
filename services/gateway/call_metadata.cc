#include "services/gateway/call_metadata.h"

#include <algorithm>
#include <string_view>

namespace god33::gateway {
namespace {

constexpr std::size_t kMostIdBytes = 128;

bool IsIdCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

// Lower-case hexadecimal digits, not all of them zero.
bool IsTraceId(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         text.find_first_not_of('0') != std::string_view::npos;
}

// "00-<32 digits>-<16 digits>-<2 digits>"
bool IsTraceParent(std::string_view text) {
  return text.size() == 55 && text.substr(0, 3) == "00-" && text[35] == '-' && text[52] == '-' &&
         IsTraceId(text.substr(3, 32)) && IsTraceId(text.substr(36, 16)) &&
         text.substr(53).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// gRPC carries visible ASCII only; a blank is what the service then refuses.
std::string Visible(std::string_view text) {
  std::string visible(text);
  std::replace_if(
      visible.begin(), visible.end(), [](char c) { return c < ' ' || c > '~'; }, ' ');
  return visible;
}

}  // namespace

std::string RequestId(const http::Headers& headers, IdSource& ids) {
  const std::string_view given = http::Find(headers, "X-Request-Id");
  if (!given.empty() && given.size() <= kMostIdBytes &&
      std::all_of(given.begin(), given.end(), IsIdCharacter)) {
    return std::string(given);
  }
  return ids.New().ToString();
}

auth::Metadata CallMetadata(const auth::Principal& principal, const std::string& request_id,
                            const http::Headers& headers) {
  auth::Metadata metadata = auth::ToMetadata(principal);
  metadata.emplace_back("x-request-id", request_id);
  const std::string_view trace = http::Find(headers, "traceparent");
  if (IsTraceParent(trace)) metadata.emplace_back("traceparent", trace);
  const std::string_view key = http::Find(headers, "Idempotency-Key");
  if (!key.empty()) metadata.emplace_back("idempotency-key", Visible(key));
  return metadata;
}

}  // namespace god33::gateway
