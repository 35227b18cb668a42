#include "projection/payload.h"

namespace god33::projection {

std::string Payload::Text(std::string_view key) const {
  const auto value = value_.Find(key);
  return value && value->is_string() ? value->ToString() : std::string();
}

std::optional<Uuid> Payload::Id(std::string_view key) const {
  return Uuid::Parse(Text(key));
}

}  // namespace god33::projection
