#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "eventlog/event_row.h"
#include "services/event-store-api/page_token.h"
#include "services/event-store-api/query.h"
#include "services/event-store-api/reader.h"

namespace god33::api {

struct EventPage {
  std::vector<eventlog::StoredEvent> events;
  std::int64_t total = 0;  // 0 if it was not wanted
  bool total_exact = false;
  std::string next_page_token;  // empty: the end
  std::int64_t position = 0;    // the log's end when the page was read
  std::int64_t horizon = 1;     // and its beginning
};

// One event, and what decides who may see it and for how long.
struct FoundEvent {
  eventlog::StoredEvent event;
  std::string project;  // empty: none, or not known yet
  Uuid log_id;          // of the log it stands in
};

struct SeenType {
  std::string name;
  std::int64_t first_position = 0;
};

// Queries over the log. Thread-safe; calls block.
class EventStore {
 public:
  explicit EventStore(Reader& reader) : reader_(reader) {}

  // Errors: INVALID_ARGUMENT about page_token; ABORTED (LOG_CHANGED) when the token is of another
  // log; OUT_OF_RANGE (RETENTION) when its place in the log has been dropped; those of Reader.
  absl::StatusOr<EventPage> List(const EventQuery& query);

  // NOT_FOUND (EVENT_NOT_FOUND); OUT_OF_RANGE (RETENTION) when only its id is kept.
  absl::StatusOr<FoundEvent> Get(const Uuid& id, std::int64_t min_position);

  // Event types that were ever stored, by name.
  absl::StatusOr<std::vector<SeenType>> Types();

 private:
  struct Found;

  absl::Status ListOn(pg::Connection& connection, const EventQuery& query, EventPage& page);
  absl::StatusOr<EventSql> Plan(pg::Connection& connection, const EventQuery& query);
  absl::StatusOr<std::vector<Month>> Months(pg::Connection& connection, const LogState& state);
  absl::StatusOr<Found> ReadPage(pg::Connection& connection, const EventSql& sql,
                                 const EventQuery& query, std::int64_t after,
                                 const LogState& state);
  absl::Status CountTotal(pg::Connection& connection, const EventSql& sql, const EventQuery& query,
                          const LogState& state, EventPage& page);

  Reader& reader_;
  absl::Mutex mutex_;
  std::vector<Month> months_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace god33::api
