#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/uuid.h"

namespace god33::manager {

// The ids of the events that were stored last, with the digests of their contents. Most duplicates are of
// these: what one of our services has appended comes back over the bus as soon as the relay has published it.
// One thread.
class RecentEvents {
 public:
  // Remembers the last `most` events, at some 100 bytes each.
  explicit RecentEvents(std::size_t most) : most_(most) {}

  // `position` is committed.
  void Add(const Uuid& id, const Uuid& digest, std::int64_t position);

  // Where it is stored, if it is remembered with this content.
  std::optional<std::int64_t> Find(const Uuid& id, const Uuid& digest) const;

  void Clear();

 private:
  struct Entry {
    Uuid digest;
    std::int64_t position = 0;
  };

  const std::size_t most_;
  absl::flat_hash_map<Uuid, Entry> entries_;
  std::vector<Uuid> order_;  // a ring, once it is full
  std::size_t oldest_ = 0;   // in order_
};

}  // namespace god33::manager
