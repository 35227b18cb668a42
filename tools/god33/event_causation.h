#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "tools/god33/pages.h"
#include "tools/god33/session.h"

namespace god33::cli {

struct CausationOptions {
  std::string id;
  std::optional<int> max_depth;
  std::string format = "flat";
  Paging paging;
};

// Print the events that an event led to, or those that led to it: as a table a drawing, else the
// service's answer in the shape `format`. When there are more, a note says how to go on.
absl::Status ShowDescendants(const CausationOptions& options, Session& session);
absl::Status ShowAncestors(const CausationOptions& options, Session& session);

}  // namespace god33::cli
