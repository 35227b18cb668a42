#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/uuid.h"
#include "event/event_type.h"
#include "god33/store/v1/event_store.pb.h"

namespace god33::api {

inline constexpr int kDefaultLimit = 100;
inline constexpr int kMostLimit = 1000;

// What a reader asks of the log: all filters must match. Plain values, checked.
struct EventFilter {
  std::optional<Uuid> workflow;
  std::vector<event::TypePattern> types;  // one of them; empty: all
  std::optional<Uuid> correlation;
  std::optional<Uuid> collaboration;
  std::string agent;  // empty: all
  std::optional<Uuid> session;
  std::optional<absl::Time> start;  // at or after
  std::optional<absl::Time> end;    // before

  bool empty() const;

  // A text that is the same for the same filters: ties page tokens to them.
  std::string Fingerprint() const;
};

struct EventQuery {
  EventFilter filter;
  bool descending = false;
  int limit = kDefaultLimit;
  std::int64_t offset = 0;
  std::string page_token;
  std::int64_t min_position = 0;
  bool counted = true;  // whether the total is wanted
};

// Checks and reads a request. INVALID_ARGUMENT names the field.
absl::StatusOr<EventQuery> ReadQuery(const store::v1::ListEventsRequest& request);

// Of the limit fields of all lists: absent is the default.
absl::StatusOr<int> ReadLimit(bool given, int limit);

// A text filter; empty if it is not given.
absl::StatusOr<std::string> ReadText(const std::string& field, bool given, const std::string& text);

absl::StatusOr<Uuid> ReadId(const std::string& field, const std::string& text);

}  // namespace god33::api
