#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace god33 {

// A UUID (RFC 9562) as its 16 bytes in network order. A plain value; ordered and hashed by its
// bytes.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  // Reads 32 hexadecimal digits of any case, with the four usual hyphens or with none. Nothing else
  // (braces, urn:uuid:, blanks) is accepted.
  static std::optional<Uuid> Parse(std::string_view text);

  // Version 5: the first 16 bytes of SHA-1 over `space` and `name`. Equal input, equal id.
  static Uuid NameBased(const Uuid& space, std::string_view name);

  // Lower case with hyphens, 36 characters.
  std::string ToString() const;

  // The bytes as a string_view into this object.
  std::string_view View() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  friend auto operator<=>(const Uuid&, const Uuid&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const Uuid& id) {
    return H::combine_contiguous(std::move(h), id.bytes.data(), id.bytes.size());
  }
};

// RFC 9562, "Namespace ID for X.500/OID": what Bloodbank derives repeatable ids in.
extern const Uuid kNamespaceOid;

}  // namespace god33
