#pragma once

#include <string>
#include <string_view>

#include "json/value.h"

namespace god33::json {

// The text under `key` of an object; empty if there is none, or something else than a string.
inline std::string TextOf(const Value& object, std::string_view key) {
  const auto value = object.Find(key);
  return value && value->is_string() ? value->ToString() : std::string();
}

}  // namespace god33::json
