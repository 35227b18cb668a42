#pragma once

#include <atomic>
#include <cstdint>

#include "base/ids.h"

namespace god33::testing {

// The `number`-th foreseeable id: 00000000-0000-4000-8000-000000000001 for 1, and so on.
inline Uuid FakeId(std::uint64_t number) {
  Uuid id;
  id.bytes[6] = 0x40;
  id.bytes[8] = 0x80;
  for (std::size_t i = 15; i > 9; --i, number >>= 8) {
    id.bytes[i] = static_cast<std::uint8_t>(number);
  }
  return id;
}

// Gives FakeId(1), FakeId(2), ... Thread-safe.
class FakeIds final : public IdSource {
 public:
  Uuid New() override { return FakeId(++last_); }

 private:
  std::atomic<std::uint64_t> last_{0};
};

}  // namespace god33::testing
