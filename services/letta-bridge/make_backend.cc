#include <memory>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "services/letta-bridge/app_server/backend.h"
#include "services/letta-bridge/backend.h"

namespace god33::letta {

absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(const std::string& url,
                                                     const std::string& token) {
  const auto bad = [](std::string_view why) {
    return MakeError(absl::StatusCode::kInvalidArgument, "UNSUPPORTED_LETTA_URL", why,
                     "LETTA_SERVER_URL");
  };
  if (url.starts_with("http://") || url.starts_with("https://")) {
    return bad(
        "LETTA_SERVER_URL: the REST interface of Letta Cloud and of old servers is not supported: "
        "run a Letta "
        "App Server and name it as ws://host:port or wss://host:port");
  }
  auto parsed = http::WebSocketUrl::Parse(url);
  if (!parsed.ok()) return bad(StrCat("LETTA_SERVER_URL: ", MessageOf(parsed.status())));
  if (parsed->target == "/") parsed->target = "/ws";  // the only one that the server has
  return std::make_unique<app_server::AppServer>(
      app_server::Options{.url = *std::move(parsed), .token = token});
}

}  // namespace god33::letta
