#include "base/ids.h"

#include <openssl/rand.h>

#include <cstdlib>

namespace god33 {

Uuid TimeOrderedIds::New() {
  Uuid id;
  // RAND_bytes fails only when the system has no entropy source; an id that isn't unique would be
  // worse.
  if (RAND_bytes(id.bytes.data(), static_cast<int>(id.bytes.size())) != 1) std::abort();
  const auto millis = static_cast<std::uint64_t>(absl::ToUnixMillis(clock_.Now()));
  for (std::size_t i = 0; i < 6; ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(millis >> (8 * (5 - i)));
  }
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x70);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

}  // namespace god33
