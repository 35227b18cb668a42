#include "tools/god33/input.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace god33::cli {
namespace {

TEST_CASE("text that names no file is itself") {
  CHECK(*ReadTextArgument("--json", "{\"a\":\"@\"}", 100) == "{\"a\":\"@\"}");
  CHECK(ReadTextArgument("--json", "", 100)->empty());
}

TEST_CASE("a file that can't be read is the argument's fault") {
  for (const char* value : {"@/no/such/file", "@/", "@"}) {
    const auto text = ReadTextArgument("--json", value, 100);
    REQUIRE_FALSE(text.ok());
    CHECK(text.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(ReasonOf(text.status()) == "INPUT");
    CHECK(FieldOf(text.status()) == "--json");
  }
}

TEST_CASE("an endless file is given up") {
  const auto text = ReadTextArgument("--json", "@/dev/zero", 1 << 20);
  REQUIRE_FALSE(text.ok());
  CHECK(ReasonOf(text.status()) == "TOO_LARGE");
}

}  // namespace
}  // namespace god33::cli
