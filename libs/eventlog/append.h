#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "eventlog/dead_letter.h"
#include "pg/connection.h"
#include "sequence/unit.h"

namespace god33::eventlog {

// What a batch left behind.
struct Stored {
  std::vector<sequence::Outcome> outcomes;  // one for each unit
  std::int64_t new_events = 0;
  std::int64_t duplicates = 0;
  std::size_t dead_letters = 0;
  absl::Time recorded_at;  // when new_events > 0
};

// Makes dead letters of outcomes, e.g. of an ID_CONFLICT.
using DeadLetters = std::function<std::vector<DeadLetter>(const std::vector<sequence::Outcome>&)>;

// Stores the units, in order, in one transaction, and the dead letters with them; committed when it
// returns. The sequencing lock is taken inside one statement, so this process can be stopped at any
// point without freezing the log. A batch of nothing but duplicates writes nothing.
// `known_types` are event types that are known to be registered; the batch's are added to it.
//
// Errors are about the batch as a whole, of which then nothing is stored: see pg/error.h. A data
// error means that some event can't be stored; which one, only a smaller batch can tell.
absl::StatusOr<Stored> Append(pg::Connection& connection,
                              const std::vector<const sequence::Unit*>& units,
                              const DeadLetters& dead_letters,
                              absl::flat_hash_set<std::string>& known_types);

// The same within the caller's transaction, which holds the sequencing lock from here to its end:
// what is still to do must be short, and the session's time-outs (WriterSettings) end a transaction
// whose process has stopped. Nothing is stored until the caller commits.
absl::StatusOr<Stored> AppendInTransaction(pg::Connection& connection,
                                           const std::vector<const sequence::Unit*>& units);

// Takes the sequencing lock for the rest of the connection's transaction, which AppendInTransaction does by itself:
// for who has to know the log's end before deciding what to append. What is read in later statements stays the log's
// last word until the commit; all other writers wait for it.
absl::Status LockLog(pg::Connection& connection);

// Session settings of every connection that appends: waits for the lock, and transactions that sit
// idle while they hold it, end after 2 s.
std::vector<std::pair<std::string, std::string>> WriterSettings();

// Further ones for connections that ask for all they ask for by key. Plans are made once for a connection, perhaps
// while the tables are empty, and must be right when these have grown: so no plan may read a table as a whole.
std::vector<std::pair<std::string, std::string>> KeyedPlanSettings();

}  // namespace god33::eventlog
