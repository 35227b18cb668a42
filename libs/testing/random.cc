#include "testing/random.h"

namespace god33::testing {

std::int64_t Random::Between(std::int64_t least, std::int64_t most) {
  const auto span = static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least);
  const std::uint64_t step = span == UINT64_MAX ? Bits() : Bits() % (span + 1);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(least) + step);
}

Uuid Random::Id() {
  Uuid id;
  for (std::uint8_t& byte : id.bytes) byte = static_cast<std::uint8_t>(Bits());
  return id;
}

std::string Random::Bytes(std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(Bits());
  return bytes;
}

}  // namespace god33::testing
