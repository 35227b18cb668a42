#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/uuid.h"

namespace god33::api {

// Where the next page of a list of events begins. Opaque to clients, who send it back as it is.
struct PageToken {
  Uuid log_id;              // a token of another log is refused
  std::string fingerprint;  // of the filters it belongs to
  bool descending = false;
  std::int64_t position = 0;  // of the last event of the page before
  std::int64_t total = 0;     // as counted on the first page
  bool total_exact = false;

  friend bool operator==(const PageToken&, const PageToken&) = default;
};

std::string EncodePageToken(const PageToken& token);

// INVALID_ARGUMENT about page_token if it is none.
absl::StatusOr<PageToken> DecodePageToken(const std::string& text);

// The same for lists that are ordered by a time and an id.
struct TimeToken {
  std::string fingerprint;
  std::int64_t unix_micros = 0;
  Uuid id;
};

std::string EncodeTimeToken(const TimeToken& token);
absl::StatusOr<TimeToken> DecodeTimeToken(const std::string& text);

// The same for causes and effects, which are ordered by depth and position. All pages show the log as it
// was at the head of the first one.
struct CausationToken {
  Uuid log_id;
  std::string fingerprint;
  std::int64_t head = 0;
  std::int64_t depth = 0;  // of the last event of the page before
  std::int64_t position = 0;

  friend bool operator==(const CausationToken&, const CausationToken&) = default;
};

std::string EncodeCausationToken(const CausationToken& token);
absl::StatusOr<CausationToken> DecodeCausationToken(const std::string& text);

}  // namespace god33::api
