#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/uuid.h"
#include "pg/connection.h"

namespace god33::eventlog {

// A message as it came from the bus, untouched.
struct Origin {
  std::string exchange;
  std::string routing_key;
  std::string properties;  // AMQP's basic properties and headers as a JSON object
  std::string body;
  bool redelivered = false;  // or tried before: it may be stored already
};

// A message that is set aside (DESIGN.md, decision 15).
struct DeadLetter {
  std::string reason;  // unreadable, invalid_envelope, id_conflict, too_large, store_failed
  std::string detail;  // for people
  std::optional<Uuid> event_id;
  std::string event_type;
  Origin origin;
  int attempts = 1;
};

// Inserts the dead letters in the connection's transaction. A redelivered message that is a dead
// letter already (the consumer died between commit and ack, or the commit's answer was lost) makes no
// second one.
absl::Status InsertDeadLetters(pg::Connection& connection, const std::vector<DeadLetter>& letters);

// A dead letter of which operators have no copy in the dead-letter queue yet.
struct Uncopied {
  std::int64_t id;
  DeadLetter letter;
};

// The oldest of them, at most `limit`.
absl::StatusOr<std::vector<Uncopied>> FindUncopied(pg::Connection& connection, int limit);

absl::Status MarkCopied(pg::Connection& connection, const std::vector<std::int64_t>& ids);

}  // namespace god33::eventlog
