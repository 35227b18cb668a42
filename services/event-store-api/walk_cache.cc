#include "services/event-store-api/walk_cache.h"

#include <algorithm>
#include <utility>

namespace god33::api {

std::shared_ptr<const Reach> WalkCache::Find(const Key& key) {
  absl::MutexLock lock(&mutex_);
  const auto at = std::find_if(entries_.begin(), entries_.end(),
                               [&key](const Entry& entry) { return entry.key == key; });
  const bool found = at != entries_.end();
  if (counters_ != nullptr) (found ? counters_->hits : counters_->misses).Increment();
  if (!found) return nullptr;
  entries_.splice(entries_.begin(), entries_, at);
  return at->reach;
}

void WalkCache::Put(const Key& key, std::shared_ptr<const Reach> reach) {
  const std::size_t nodes = reach->walk.nodes().size();
  if (nodes > kMostCached) return;
  absl::MutexLock lock(&mutex_);
  // Two requests may have walked at the same time.
  entries_.remove_if([&](const Entry& entry) {
    if (entry.key != key) return false;
    cached_ -= entry.reach->walk.nodes().size();
    return true;
  });
  entries_.push_front({key, std::move(reach)});
  cached_ += nodes;
  while (entries_.size() > kMostWalks || cached_ > kMostCached) {
    cached_ -= entries_.back().reach->walk.nodes().size();
    entries_.pop_back();
    if (counters_ != nullptr) counters_->evictions.Increment();
  }
  if (counters_ != nullptr) counters_->entries.Set(static_cast<double>(entries_.size()));
}

}  // namespace god33::api
