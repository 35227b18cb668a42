#include "http/web_socket.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "base/strings.h"
#include "http/server.h"

namespace god33::http {
namespace {

constexpr std::size_t kKeyBytes = 16;

// Whether a header that is a list, in one line or in several, has this token.
bool HasToken(const Headers& headers, std::string_view name, std::string_view token) {
  for (const auto& [key, value] : headers) {
    if (!absl::EqualsIgnoreCase(key, ToAbsl(name))) continue;
    for (const absl::string_view part : absl::StrSplit(value, ',')) {
      if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(part), ToAbsl(token))) return true;
    }
  }
  return false;
}

}  // namespace

bool WantsWebSocket(const Request& request) {
  return HasToken(request.headers, "Upgrade", "websocket");
}

std::optional<BadUpgrade> CheckUpgrade(const Request& request) {
  if (request.method != "GET") return BadUpgrade{405, "a WebSocket begins with GET"};
  if (request.http10) return BadUpgrade{400, "a WebSocket needs HTTP/1.1"};
  if (!HasToken(request.headers, "Connection", "Upgrade")) {
    return BadUpgrade{400, "expected Connection: Upgrade"};
  }
  if (!request.body.empty()) return BadUpgrade{400, "a WebSocket's request has no body"};
  if (Find(request.headers, "Sec-WebSocket-Version") != "13") {
    return BadUpgrade{426, "expected Sec-WebSocket-Version: 13"};
  }
  std::string key;
  if (!absl::Base64Unescape(ToAbsl(Find(request.headers, "Sec-WebSocket-Key")), &key) ||
      key.size() != kKeyBytes) {
    return BadUpgrade{400, "expected 16 bytes in base64 as Sec-WebSocket-Key"};
  }
  return std::nullopt;
}

}  // namespace god33::http
