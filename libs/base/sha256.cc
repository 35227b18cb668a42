#include "base/sha256.h"

#include <openssl/evp.h>

#include <cstdlib>

#include "absl/strings/escaping.h"

namespace god33 {

Sha256Digest Sha256(std::string_view text) {
  // SHA256() would look the algorithm up by its name with every call.
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  Sha256Digest digest;
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, algorithm, nullptr) != 1) {
    std::abort();  // by a wrong digest, events would be taken for each other
  }
  return digest;
}

std::string Sha256Hex(std::string_view text) {
  const Sha256Digest digest = Sha256(text);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace god33
