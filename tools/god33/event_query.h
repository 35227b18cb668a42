#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "god33/store/v1/event_store.pb.h"
#include "tools/god33/pages.h"
#include "tools/god33/session.h"

namespace god33::cli {

// Filters that are empty are not given; on the command line an empty one is an error (arguments.h).
struct EventListOptions {
  std::string workflow;
  std::vector<std::string> types;
  std::string correlation;
  std::string collaboration;
  std::string agent;
  std::string session;
  std::string since;
  std::string until;
  std::string order = "asc";
  Paging paging;
};

// InvalidArgument for a time that can't be read.
absl::StatusOr<store::v1::ListEventsRequest> MakeRequest(const EventListOptions& options,
                                                         absl::Time now);

// Prints events that match all filters. When there are more, a note says how to go on.
absl::Status ListEvents(const EventListOptions& options, Session& session);

// Prints one event.
absl::Status GetEvent(const std::string& id, std::int64_t min_position, Session& session);

// Prints the types that are known or were seen.
absl::Status ListEventTypes(Session& session);

}  // namespace god33::cli
