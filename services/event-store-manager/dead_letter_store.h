#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "god33/store/v1/dead_letters.pb.h"
#include "pg/pool.h"
#include "sequence/unit.h"
#include "services/event-store-manager/dead_letter_query.h"
#include "services/event-store-manager/dead_letter_walk.h"

namespace god33::manager {

// Rows of dead_letters, read and marked for people. Who works on a row holds a lock on its id, which
// hinders nobody else who touches the row (the outbox marks copies). Thread-safe; calls block, so they
// belong on an executor. A database that is away is UNAVAILABLE (DATABASE_UNAVAILABLE); a list that
// takes too long is DEADLINE_EXCEEDED (QUERY_TOO_SLOW).
class DeadLetterStore {
 public:
  // Of a body that is given to people.
  static constexpr std::int64_t kMostBody = 16 << 20;

  DeadLetterStore(pg::Config database, std::size_t connections);

  absl::Status List(const DeadLetterQuery& query, store::v1::ListDeadLettersResponse& response);

  // With the body if it has at most `most_body` bytes. NOT_FOUND (DEAD_LETTER_NOT_FOUND).
  absl::StatusOr<store::v1::DeadLetter> Get(std::int64_t id, std::int64_t most_body);

  // Calls `send` with the row and its body while nobody else works on it, and marks it if that was OK.
  // FAILED_PRECONDITION (ALREADY_SENT_BACK, DROPPED): nothing was sent.
  using Send = std::function<absl::Status(const store::v1::DeadLetter&)>;
  absl::StatusOr<store::v1::DeadLetter> SendBack(std::int64_t id, bool again, const Send& send);

  // `changed`: it was not dropped before.
  absl::StatusOr<store::v1::DeadLetter> Drop(std::int64_t id, bool& changed);

  absl::StatusOr<DeadLetterWalk> StartWalk(const DeadLetterFilter& filter);

  // What was done in one step: `matched` were come upon, `done` of them were done.
  struct Step {
    std::int64_t matched = 0;
    std::int64_t done = 0;
  };

  // Calls `send_all` with at most `count` rows and about 16 MiB of bodies, of those that nobody else
  // works on, and marks those whose status is OK. An error of `send_all`: none is marked.
  using SendAll = std::function<absl::StatusOr<std::vector<absl::Status>>(
      const std::vector<store::v1::DeadLetter>&)>;
  absl::StatusOr<Step> SendBackNext(DeadLetterWalk& walk, int count, const SendAll& send_all);

  // Drops at most `count`; with `dry_run` only counts them.
  absl::StatusOr<Step> DropNext(DeadLetterWalk& walk, int count, bool dry_run);

  // Calls `look` with the next ones and their bodies, at most `count`.
  absl::StatusOr<Step> LookAtNext(DeadLetterWalk& walk, int count,
                                  const std::function<void(const store::v1::DeadLetter&)>& look);

  // What the log says of an event that is stored nowhere yet: OK, or ALREADY_EXISTS (ID_CONFLICT).
  absl::Status CheckAgainstLog(const sequence::Unit& unit);

 private:
  absl::Status Run(const std::function<absl::Status(pg::Connection&)>& work);

  pg::Pool pool_;
};

}  // namespace god33::manager
