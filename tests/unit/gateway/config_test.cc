#include "services/gateway/config.h"

#include <catch2/catch.hpp>

namespace god33::gateway {
namespace {

TEST_CASE("a service's address stands in a variable of its name") {
  CHECK(AddressVariable("event-store-api") == "GOD33_EVENT_STORE_API_ADDR");
  CHECK(AddressVariable("director") == "GOD33_DIRECTOR_ADDR");
}

TEST_CASE("timeouts have a unit or are seconds") {
  CHECK(*ParseTimeout("30s") == absl::Seconds(30));
  CHECK(*ParseTimeout("500ms") == absl::Milliseconds(500));
  CHECK(*ParseTimeout("1m30s") == absl::Seconds(90));
  CHECK(*ParseTimeout("30") == absl::Seconds(30));
  CHECK(*ParseTimeout("0.5") == absl::Milliseconds(500));
  CHECK(*ParseTimeout("1h") == absl::Hours(1));
}

TEST_CASE("what is no sensible timeout is refused") {
  for (const char* text :
       {"", "0", "0s", "-1s", "-1", "s", "30 s", "inf", "2h", "1d", "x", "1.2.3", "."}) {
    CAPTURE(text);
    CHECK_FALSE(ParseTimeout(text).ok());
  }
}

TEST_CASE("flags set what they name") {
  const char* arguments[] = {
      "gateway", "--listen=127.0.0.1:1", "--event-store-api-addr=a:1", "--request-timeout",
      "500ms",   "--max-body-bytes=5"};
  const Config config =
      ParseConfig(6, const_cast<char**>(arguments), {"event-store-api", "event-store-manager"});
  CHECK(config.common.listen == "127.0.0.1:1");
  CHECK(config.addresses.at("event-store-api") == "a:1");
  CHECK(config.request_timeout == absl::Milliseconds(500));
  CHECK(config.drain_timeout == absl::Seconds(5));
  CHECK(config.max_body_bytes == 5);
}

}  // namespace
}  // namespace god33::gateway
