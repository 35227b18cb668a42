#include "absl/strings/match.h"
#include "base/strings.h"
#include "http/server.h"
#include "http/status.h"

namespace god33::http {

std::string_view Find(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, ToAbsl(name))) return value;
  }
  return {};
}

Response PlainRefusal(int status, std::string_view detail) {
  return Response{.status = status,
                  .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
                  .body = StrCat(status, " ", ReasonPhrase(status), ": ", detail, "\n")};
}

}  // namespace god33::http
