#pragma once

#include "absl/status/status.h"
#include "pg/connection.h"
#include "services/event-store-api/answer_cache.h"

namespace god33::api {

// Tells the cache what a step of the log's tail means for it. Reads no payloads, and only while somebody
// asks for states; what it can't keep up with it tells the cache to forget. Used by one thread.
class CacheFollower {
 public:
  explicit CacheFollower(AnswerCache& cache) : cache_(cache) {}

  // The database was at `point` after `seen_at`, a MonotonicNanos() before it was asked.
  absl::Status Follow(pg::Connection& connection, const LogPoint& point, std::int64_t seen_at);

  // When to look again at the latest.
  absl::Duration next_look() const { return next_look_; }

 private:
  AnswerCache& cache_;
  absl::Duration next_look_ = absl::ZeroDuration();
};

}  // namespace god33::api
