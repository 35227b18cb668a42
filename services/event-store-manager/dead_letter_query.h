#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "event/event_type.h"
#include "god33/store/v1/dead_letters.pb.h"

namespace god33::manager {

// Which dead letters: all that is given must match. Plain values, checked.
struct DeadLetterFilter {
  std::string reason;                      // empty: all
  std::optional<event::TypePattern> type;  // only those that have a type
  std::string routing_key;                 // empty: all
  std::optional<absl::Time> since;         // at or after, by the store's clock
  std::optional<absl::Time> until;         // before
  std::vector<std::string> states;         // one of them

  // A text that is the same for the same filters: ties page tokens to them.
  std::string Fingerprint() const;
};

// Where the next page of a list begins. Opaque to clients.
struct DeadLetterToken {
  std::string fingerprint;       // of the filters it belongs to
  std::int64_t unix_micros = 0;  // recorded_at and id of the last one of the page before
  std::int64_t id = 0;
  std::int64_t total = 0;  // as counted on the first page
  bool total_exact = false;

  friend bool operator==(const DeadLetterToken&, const DeadLetterToken&) = default;
};

std::string EncodeToken(const DeadLetterToken& token);

// INVALID_ARGUMENT about page_token if it is none.
absl::StatusOr<DeadLetterToken> DecodeToken(const std::string& text);

struct DeadLetterQuery {
  DeadLetterFilter filter;
  int limit = 100;
  std::optional<DeadLetterToken> after;
};

// What is to be done to all that match.
struct DeadLetterBulk {
  DeadLetterFilter filter;  // of open ones
  int limit = 1000;
  int rate = 100;  // a second
};

// Check and read requests. INVALID_ARGUMENT names the field.
absl::StatusOr<DeadLetterQuery> ReadQuery(const store::v1::ListDeadLettersRequest& request);
absl::StatusOr<DeadLetterBulk> ReadBulk(const store::v1::SendBackDeadLettersRequest& request);
absl::StatusOr<DeadLetterBulk> ReadBulk(const store::v1::DropDeadLettersRequest& request);

// Checks the edited body: valid JSON, or bytes, not both.
absl::Status CheckEdit(const store::v1::SendBackDeadLetterRequest& request);

}  // namespace god33::manager
