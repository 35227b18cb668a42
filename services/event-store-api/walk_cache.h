#pragma once

#include <list>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "services/event-store-api/causation_walk.h"
#include "services/event-store-api/metrics.h"

namespace god33::api {

// The walks of the last requests, so that the pages of one answer are not walked to again and again.
// Nothing in it gets stale: a walk is named by the position of the log at which it is true. Holds at
// most kMostWalks walks with kMostCached events together. Thread-safe.
class WalkCache {
 public:
  static constexpr std::size_t kMostWalks = 32;
  static constexpr std::size_t kMostCached = 2'000'000;  // at 16 bytes each

  struct Key {
    Uuid log_id;
    WalkLimits limits;

    friend bool operator==(const Key&, const Key&) = default;
  };

  // `counters` outlive it; nullptr: nothing is counted.
  explicit WalkCache(CacheCounters* counters = nullptr) : counters_(counters) {}

  // nullptr: not there.
  std::shared_ptr<const Reach> Find(const Key& key);

  void Put(const Key& key, std::shared_ptr<const Reach> reach);

 private:
  struct Entry {
    Key key;
    std::shared_ptr<const Reach> reach;
  };

  CacheCounters* const counters_;
  absl::Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // the last used first
  std::size_t cached_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace god33::api
