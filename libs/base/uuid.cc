#include "base/uuid.h"

#include <openssl/sha.h>

#include <algorithm>

namespace god33 {
namespace {

constexpr char kHex[] = "0123456789abcdef";

constexpr std::uint8_t kNoDigit = 0xff;

// What each character stands for as a hexadecimal digit.
constexpr std::array<std::uint8_t, 256> kDigits = [] {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (unsigned char i = 0; i < 10; ++i) digits['0' + i] = i;
  for (unsigned char i = 0; i < 6; ++i) {
    digits['a' + i] = digits['A' + i] = static_cast<std::uint8_t>(10 + i);
  }
  return digits;
}();

std::uint8_t DigitOf(char c) {
  return kDigits[static_cast<unsigned char>(c)];
}

}  // namespace

const Uuid kNamespaceOid = *Uuid::Parse("6ba7b812-9dad-11d1-80b4-00c04fd430c8");

std::optional<Uuid> Uuid::Parse(std::string_view text) {
  const bool hyphens = text.size() == 36;
  if (!hyphens && text.size() != 32) return std::nullopt;
  Uuid id;
  std::size_t at = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    if (hyphens && (i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-')
      return std::nullopt;
    const std::uint8_t high = DigitOf(text[at]);
    const std::uint8_t low = DigitOf(text[at + 1]);
    if (high == kNoDigit || low == kNoDigit) return std::nullopt;
    id.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    at += 2;
  }
  return id;
}

Uuid Uuid::NameBased(const Uuid& space, std::string_view name) {
  std::string input(space.View());
  input.append(name);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const unsigned char*>(input.data()), input.size(), digest.data());
  Uuid id;
  std::copy_n(digest.begin(), 16, id.bytes.begin());
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x50);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

std::string Uuid::ToString() const {
  std::string text(36, '-');
  std::size_t at = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) ++at;
    text[at++] = kHex[bytes[i] >> 4];
    text[at++] = kHex[bytes[i] & 0xf];
  }
  return text;
}

}  // namespace god33
