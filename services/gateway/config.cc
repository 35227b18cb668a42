#include "services/gateway/config.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/error.h"
#include "base/strings.h"

namespace god33::gateway {
namespace {

// Adds an option for a duration, which keeps `value` as its default.
void AddTimeout(CLI::App& app, const char* flag, absl::Duration& value, const char* variable,
                const char* help) {
  app.add_option_function<std::string>(
         flag,
         [&value, flag](const std::string& text) {
           const auto timeout = ParseTimeout(text);
           if (!timeout.ok())
             throw CLI::ValidationError(flag, std::string(MessageOf(timeout.status())));
           value = *timeout;
         },
         help)
      ->envname(variable)
      ->default_str(absl::FormatDuration(value));
}

std::string AddressFlag(std::string_view service) {
  return StrCat("--", service, "-addr");
}

}  // namespace

std::string AddressVariable(std::string_view service) {
  std::string name = StrCat("GOD33_", service, "_ADDR");
  std::replace(name.begin(), name.end(), '-', '_');
  absl::AsciiStrToUpper(&name);
  return name;
}

absl::StatusOr<absl::Duration> ParseTimeout(std::string_view text) {
  const bool number =
      !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos;
  absl::Duration timeout;
  if (!absl::ParseDuration(number ? StrCat(text, "s") : std::string(text), &timeout) ||
      timeout <= absl::ZeroDuration() || timeout > absl::Hours(1)) {
    return InvalidArgument(
        StrCat("expected a duration such as 30s or 500ms, at most 1h, got \"", text, "\""));
  }
  return timeout;
}

Config ParseConfig(int argc, char** argv, const std::set<std::string>& services) {
  Config config;
  CLI::App app{"gateway: the REST side of the 33GOD services."};
  rpc::AddCommonOptions(app, config.common);
  for (const std::string& service : services) {
    app.add_option(
           AddressFlag(service), config.addresses[service],
           StrCat("host:port of ", service, "'s gRPC server; without it, its routes answer 503"))
        ->envname(AddressVariable(service));
  }
  AddTimeout(app, "--request-timeout", config.request_timeout, "GOD33_REQUEST_TIMEOUT",
             "Time a service has for one request: 30s, 500ms or seconds");
  AddTimeout(app, "--drain-timeout", config.drain_timeout, "GOD33_DRAIN_TIMEOUT",
             "Time that requests under way have to finish when the gateway stops");
  app.add_option("--max-body-bytes", config.max_body_bytes, "Largest request body; more is 413")
      ->envname("GOD33_MAX_BODY_BYTES")
      ->check(CLI::Range(1, 64 << 20))
      ->capture_default_str();
  app.add_option("--max-connections", config.max_connections,
                 "More clients at a time are turned away")
      ->envname("GOD33_MAX_CONNECTIONS")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--cors-origins",
         [&config](const std::string& text) {
           auto cors = Cors::Parse(text);
           if (!cors.ok()) {
             throw CLI::ValidationError("--cors-origins", std::string(MessageOf(cors.status())));
           }
           config.cors = *std::move(cors);
         },
         "Origins whose pages may call from a browser, separated by commas; * for all")
      ->envname("GOD33_CORS_ORIGINS");
  app.add_option("--max-live-connections", config.max_live_connections,
                 "More clients at a time that follow events, by WebSocket or SSE, are answered 503")
      ->envname("GOD33_MAX_LIVE_CONNECTIONS")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  rpc::ParseOrExit(app, argc, argv);
  return config;
}

}  // namespace god33::gateway
