#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "god33/store/v1/stream.pb.h"
#include "tools/god33/session.h"

namespace god33::cli {

// Filters that are empty are not given, as in EventListOptions.
struct EventStreamOptions {
  std::string workflow;
  std::vector<std::string> types;
  std::string correlation;
  std::string agent;
  std::string project;
  std::optional<std::int64_t> after;
  std::int64_t within = 0;
  std::int64_t most = 0;  // events; 0: without end
};

store::v1::StreamEventsRequest MakeRequest(const EventStreamOptions& options);

// Prints events as they come, until there were `most`, or SIGINT or SIGTERM. When the stream breaks it
// goes on by itself, at its last position; it fails if no stream begins at all, or the log was
// replaced.
absl::Status StreamEvents(const EventStreamOptions& options, Session& session);

}  // namespace god33::cli
