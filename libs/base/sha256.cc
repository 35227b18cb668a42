#include "base/sha256.h"

#include <openssl/sha.h>

#include "absl/strings/escaping.h"

namespace god33 {

Sha256Digest Sha256(std::string_view text) {
  Sha256Digest digest;
  static_assert(SHA256_DIGEST_LENGTH == std::tuple_size_v<Sha256Digest>);
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

std::string Sha256Hex(std::string_view text) {
  const Sha256Digest digest = Sha256(text);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace god33
