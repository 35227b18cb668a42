#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "eventlog/cursor.h"
#include "eventlog/event_row.h"
#include "pg/connection.h"
#include "reaction/handler.h"

namespace god33::reaction {

// What the database keeps of one service's reactions (migrations/0010_reactions.sql), and how the service reads
// the log. An event is handled if it has a mark, or stands behind the origin and not behind the cursor; marks that
// say no more than the cursor are deleted.
class Journal {
 public:
  explicit Journal(std::string service)
      : service_(std::move(service)), cursor_("reaction " + service_) {}

  const std::string& cursor() const { return cursor_; }

  // Makes the service known if it never ran before.
  absl::Status Register(pg::Connection& connection, bool from_beginning) const;

  // What is known of an event that has a new mark.
  struct Standing {
    bool handled = false;  // then the rest is not told
    std::optional<std::int64_t> position;
    Uuid digest;  // of what is stored at the position
  };

  // Marks the event in the connection's transaction. Who else does so waits until it ends.
  absl::StatusOr<Standing> Mark(pg::Connection& connection, const Uuid& event_id) const;

  // In the connection's transaction.
  absl::Status RecordFailure(pg::Connection& connection, const Incoming& incoming,
                             const absl::Status& failure) const;

  // Takes the event out of the failures, in the connection's transaction. False if it is none.
  absl::StatusOr<bool> TakeFailure(pg::Connection& connection, const Uuid& event_id) const;

  struct Failures {
    std::int64_t count = 0;
    std::string newest;  // for people
  };
  absl::StatusOr<Failures> CountFailures(pg::Connection& connection) const;

  // Those of the failures that are in the log, by id behind `after`; about 50.
  absl::StatusOr<std::vector<eventlog::StoredEvent>> FailedEvents(pg::Connection& connection,
                                                                  const Uuid& after) const;

  absl::StatusOr<std::int64_t> Head(pg::Connection& connection) const;

  struct Page {
    std::vector<eventlog::StoredEvent> events;
    bool last = false;  // there are no more
  };

  // Stored events of these types without a mark, by position, from after < position <= up_to; at most 500, less if
  // they are large.
  absl::StatusOr<Page> Next(pg::Connection& connection, const std::vector<std::string>& types,
                            std::int64_t after, std::int64_t up_to) const;

  // Moves the cursor to where all wanted events are handled, and deletes the marks that it makes superfluous.
  absl::Status MoveTo(pg::Connection& connection, eventlog::CursorLease& lease,
                      std::int64_t position, absl::Duration ttl) const;

 private:
  const std::string service_;
  const std::string cursor_;
};

}  // namespace god33::reaction
