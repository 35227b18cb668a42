#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"
#include "json/value.h"

namespace god33::projection {

// Reads what a fold needs out of a payload. A field of an unexpected kind counts as absent: such an
// event is stored and flagged, and must not stop the fold.
class Payload {
 public:
  explicit Payload(std::string_view json);

  // Empty if absent.
  std::string Text(std::string_view key) const;
  std::optional<Uuid> Id(std::string_view key) const;

 private:
  std::vector<json::Member> members_;
};

}  // namespace god33::projection
