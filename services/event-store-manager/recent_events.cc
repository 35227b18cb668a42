#include "services/event-store-manager/recent_events.h"

namespace god33::manager {

void RecentEvents::Add(const Uuid& id, const Uuid& digest, std::int64_t position) {
  if (!entries_.try_emplace(id, Entry{digest, position}).second) return;
  if (order_.size() < most_) {
    order_.push_back(id);
    return;
  }
  entries_.erase(order_[oldest_]);
  order_[oldest_] = id;
  oldest_ = (oldest_ + 1) % most_;
}

std::optional<std::int64_t> RecentEvents::Find(const Uuid& id, const Uuid& digest) const {
  const auto entry = entries_.find(id);
  if (entry == entries_.end() || entry->second.digest != digest) return std::nullopt;
  return entry->second.position;
}

void RecentEvents::Clear() {
  entries_.clear();
  order_.clear();
  oldest_ = 0;
}

}  // namespace god33::manager
