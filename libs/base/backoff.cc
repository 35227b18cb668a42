#include "base/backoff.h"

#include <algorithm>
#include <random>
#include <utility>

namespace god33 {

Backoff::Backoff(absl::Duration first, absl::Duration most, std::function<double()> random)
    : first_(first), most_(most), next_(first), random_(std::move(random)) {}

absl::Duration Backoff::Next() {
  const absl::Duration wait = next_ * (0.5 + 0.5 * random_());
  next_ = std::min(next_ * 2, most_);
  return wait;
}

double RandomFraction() {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(engine);
}

}  // namespace god33
