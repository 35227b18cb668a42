#include <catch2/catch.hpp>

#include "base/error.h"
#include "services/letta-bridge/backend.h"

namespace god33::letta {
namespace {

TEST_CASE("the App Server is chosen by ws and wss") {
  CHECK(MakeBackend("ws://127.0.0.1:4500", "").ok());
  CHECK(MakeBackend("wss://letta.example/ws", "token").ok());
}

TEST_CASE("other URLs are refused") {
  const std::string url =
      GENERATE("", "http://127.0.0.1:8283", "https://api.letta.com", "localhost:4500");
  const absl::Status status = MakeBackend(url, "").status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "UNSUPPORTED_LETTA_URL");
  CHECK(FieldOf(status) == "LETTA_SERVER_URL");
}

}  // namespace
}  // namespace god33::letta
