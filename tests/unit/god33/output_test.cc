#include "tools/god33/output.h"

#include <catch2/catch.hpp>

namespace god33::cli {
namespace {

TEST_CASE("output arrives in order when it is flushed") {
  std::string got;
  Output out([&got](std::string_view text) {
    got += text;
    return absl::OkStatus();
  });
  out.Write("a");
  out.Write("b");
  CHECK(got.empty());
  REQUIRE(out.Flush().ok());
  CHECK(got == "ab");
}

TEST_CASE("much output does not wait for a flush") {
  std::size_t got = 0;
  Output out([&got](std::string_view text) {
    got += text.size();
    return absl::OkStatus();
  });
  for (int i = 0; i < 100; ++i) out.Write(std::string(10'000, 'x'));
  CHECK(got > 900'000);
}

TEST_CASE("after a failure nothing more is written and every flush tells") {
  int calls = 0;
  Output out([&calls](std::string_view) {
    ++calls;
    return absl::FailedPreconditionError("disk full");
  });
  out.Write(std::string(1 << 20, 'x'));
  out.Write("more");
  CHECK_FALSE(out.Flush().ok());
  CHECK_FALSE(out.Flush().ok());
  CHECK(calls == 1);
}

}  // namespace
}  // namespace god33::cli
