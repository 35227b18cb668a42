#include "services/gateway/cors.h"

#include <catch2/catch.hpp>

namespace god33::gateway {
namespace {

std::string AllowedFor(const Cors& cors, const std::string& origin) {
  http::Response response;
  cors.Allow({.headers = {{"Origin", origin}}}, response);
  return std::string(http::Find(response.headers, "Access-Control-Allow-Origin"));
}

TEST_CASE("origins are a list") {
  const Cors cors = *Cors::Parse("https://a.example, http://localhost:5173,");
  CHECK(AllowedFor(cors, "https://a.example") == "https://a.example");
  CHECK(AllowedFor(cors, "http://localhost:5173") == "http://localhost:5173");
  for (const char* other : {"", "null", "https://a.example.org", "http://a.example",
                            "https://A.example", "https://a.example, http://localhost:5173"}) {
    CAPTURE(other);
    CHECK(AllowedFor(cors, other).empty());
  }
}

TEST_CASE("a star is every origin, and nothing is none") {
  CHECK(AllowedFor(*Cors::Parse("*"), "https://b.example") == "https://b.example");
  http::Response response;
  Cors().Allow({.headers = {{"Origin", "https://b.example"}}}, response);
  CHECK(response.headers.empty());
}

TEST_CASE("what is no origin is refused") {
  for (const char* bad :
       {"a.example", "https://", "https://a.example/", "https://a.example/x", "https://A.example",
        "://a", "https://u@a.example", "https://a.example https://b.example"}) {
    CAPTURE(bad);
    CHECK_FALSE(Cors::Parse(bad).ok());
  }
}

TEST_CASE("only OPTIONS with both headers is a preflight") {
  const http::Headers both = {{"Origin", "https://a.example"},
                              {"Access-Control-Request-Method", "GET"}};
  CHECK(Cors::IsPreflight({.method = "OPTIONS", .headers = both}));
  CHECK_FALSE(Cors::IsPreflight({.method = "GET", .headers = both}));
  CHECK_FALSE(Cors::IsPreflight({.method = "OPTIONS", .headers = {both[0]}}));
  CHECK_FALSE(Cors::IsPreflight({.method = "OPTIONS", .headers = {both[1]}}));
}

}  // namespace
}  // namespace god33::gateway
