#include "services/gateway/call_metadata.h"

#include <catch2/catch.hpp>

#include "unit/gateway/fakes.h"

namespace god33::gateway {
namespace {

std::string IdFor(const std::string& header) {
  CountingIds ids;
  return RequestId({{"x-request-id", header}}, ids);
}

// The traceparent that is passed on, or nothing.
std::string Trace(const std::string& header) {
  for (const auto& [key, value] : CallMetadata({}, "id", {{"Traceparent", header}})) {
    if (key == "traceparent") return value;
  }
  return "";
}

TEST_CASE("a client's request id is kept if it is harmless") {
  CHECK(IdFor("a") == "a");
  CHECK(IdFor("A-z_0.9") == "A-z_0.9");
  CHECK(IdFor(std::string(128, 'x')) == std::string(128, 'x'));
}

TEST_CASE("any other request id is replaced") {
  for (const std::string header : {"", "a b", "a\"b", "a/b", "\xC3\xA9", "a,b", "{}", "a\tb"}) {
    CHECK(IdFor(header) == kFirstId);
  }
  CHECK(IdFor(std::string(129, 'x')) == kFirstId);
  CountingIds ids;
  CHECK(RequestId({}, ids) == kFirstId);
}

TEST_CASE("a call carries the principal, the request's id and the trace, and no other header") {
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auth::Metadata metadata = CallMetadata(auth::Principal{}, "id-1",
                                               {{"traceparent", trace},
                                                {"X-God33-Subject", "root"},
                                                {"x-god33-projects", "[\"secret\"]"},
                                                {"Authorization", "Bearer x"},
                                                {"grpc-timeout", "1n"},
                                                {"X-Request-Id", "other"}});
  CHECK(metadata == auth::Metadata{{"x-god33-subject", "anonymous"},
                                   {"x-god33-projects", "*"},
                                   {"x-request-id", "id-1"},
                                   {"traceparent", trace}});
}

TEST_CASE("only a well-formed traceparent is passed on") {
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
  CHECK(Trace(good) == good);
  for (const std::string bad : {
           "",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-00",
           "00-00000000000000000000000000000000-b7ad6b7169203331-00",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-00",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
           "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_00",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-extra",
       }) {
    CAPTURE(bad);
    CHECK(Trace(bad).empty());
  }
}

TEST_CASE("an idempotency key is passed on, as what gRPC can carry") {
  const auto key = [](const std::string& header) {
    for (const auto& [name, value] : CallMetadata({}, "id", {{"Idempotency-Key", header}})) {
      if (name == "idempotency-key") return value;
    }
    return std::string("none");
  };
  CHECK(key("a-1") == "a-1");
  CHECK(key("") == "none");
  CHECK(key("a\xC3\xA9\x01z") == "a   z");
}

}  // namespace
}  // namespace god33::gateway
