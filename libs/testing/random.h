#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "base/uuid.h"

namespace god33::testing {

// Random choices for property tests: the same seed makes the same choices on every machine, so that a
// failing test names the case by its seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t Bits() { return engine_(); }

  // 0 to `bound` - 1.
  std::size_t Below(std::size_t bound) { return static_cast<std::size_t>(engine_() % bound); }

  // `least` to `most`, both included.
  std::int64_t Between(std::int64_t least, std::int64_t most);

  // True once in `n` times.
  bool OneIn(std::size_t n) { return Below(n) == 0; }

  template <typename Container>
  const auto& Pick(const Container& container) {
    return container[Below(std::size(container))];
  }

  template <typename Container>
  void Shuffle(Container& container) {
    for (std::size_t i = container.size(); i > 1; --i) {
      std::swap(container[i - 1], container[Below(i)]);
    }
  }

  Uuid Id();

  // Any bytes at all, `size` of them.
  std::string Bytes(std::size_t size);

 private:
  std::mt19937_64 engine_;
};

}  // namespace god33::testing
