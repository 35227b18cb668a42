#include "projection/payload.h"

namespace god33::projection {

Payload::Payload(std::string_view json) {
  for (const json::Member member : json::Value::Checked(json).members()) members_.push_back(member);
}

std::string Payload::Text(std::string_view key) const {
  // The last one counts.
  for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
    if (!member->Is(key)) continue;
    return member->value.is_string() ? member->value.ToString() : std::string();
  }
  return {};
}

std::optional<Uuid> Payload::Id(std::string_view key) const {
  return Uuid::Parse(Text(key));
}

}  // namespace god33::projection
