#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "god33/store/v1/dead_letters.pb.h"
#include "tools/god33/pages.h"
#include "tools/god33/session.h"

namespace god33::cli {

// Filters that are empty are not given; on the command line an empty one is an error (arguments.h).
struct DeadLetterFilters {
  std::string reason;
  std::string type;
  std::string routing_key;
  std::string since;
  std::string until;

  bool empty() const {
    return reason.empty() && type.empty() && routing_key.empty() && since.empty() && until.empty();
  }
};

struct DeadLetterListOptions {
  DeadLetterFilters filters;
  std::string state;
  Paging paging;
};

// Of send-back and drop: one by its id, or all that match.
struct DeadLetterActionOptions {
  std::optional<std::int64_t> id;
  bool all_matching = false;
  DeadLetterFilters filters;
  std::optional<int> limit;
  std::optional<int> rate;
  std::string edit;
  bool again = false;
  bool dry_run = false;
  bool yes = false;
};

// Whether the options go together: an id or --all-matching, and what belongs to each. InvalidArgument
// (USAGE) says what does not.
absl::Status CheckAction(const DeadLetterActionOptions& options);

absl::Status ListDeadLetters(const DeadLetterListOptions& options, Session& session);

// Prints one; with `raw`, its untouched bytes and nothing else.
absl::Status ShowDeadLetter(std::int64_t id, bool raw, Session& session);

absl::Status SendBackDeadLetters(const DeadLetterActionOptions& options, Session& session);
absl::Status DropDeadLetters(const DeadLetterActionOptions& options, Session& session);

}  // namespace god33::cli
