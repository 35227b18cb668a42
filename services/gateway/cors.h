#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "http/server.h"

namespace god33::gateway {

// Which other origins' pages may use the API in a browser (Fetch standard, "CORS protocol"). Immutable.
class Cors {
 public:
  // No other origin.
  Cors() = default;

  // Origins such as "https://app.example.org" and "http://localhost:5173", separated by commas, or "*" for
  // all. InvalidArgument names the one that is none.
  static absl::StatusOr<Cors> Parse(std::string_view origins);

  // Whether the request asks, before the real one, what would be allowed.
  static bool IsPreflight(const http::Request& request);

  // The answer to that, for a path that answers the verbs in `allow`, "GET, HEAD".
  http::Response Preflight(const http::Request& request, const std::string& allow) const;

  // Adds what lets the browser show the answer to the page. An origin that isn't allowed gets nothing, so
  // its browser keeps the answer from it.
  void Allow(const http::Request& request, http::Response& response) const;

 private:
  bool Allows(std::string_view origin) const;

  bool all_ = false;
  std::vector<std::string> origins_;
};

}  // namespace god33::gateway
