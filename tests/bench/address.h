#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "base/strings.h"
#include "tests/bench/command.h"

namespace god33::bench {

// Where a server listens: an IPv4 address and a port.
struct Address {
  std::string host;
  std::uint16_t port = 0;

  static Address Parse(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    std::uint32_t port = 0;
    if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(colon + 1), &port)) {
      Fail(absl::InvalidArgumentError(StrCat("expected host:port, got ", text)));
    }
    return {.host = text.substr(0, colon), .port = static_cast<std::uint16_t>(port)};
  }
};

}  // namespace god33::bench
