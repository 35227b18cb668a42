#pragma once

#include <functional>

#include "absl/time/time.h"

namespace god33 {

// Waits between tries: they double from `first` up to `most`, and each is drawn evenly from its
// upper half ("equal jitter"), so that many clients that failed together don't return together. Not
// thread-safe.
class Backoff {
 public:
  // `random` yields numbers in [0, 1).
  Backoff(absl::Duration first, absl::Duration most, std::function<double()> random);

  // How long to wait before the next try.
  absl::Duration Next();

  // To be called after a success: the next wait is short again.
  void Reset() { next_ = first_; }

 private:
  absl::Duration first_;
  absl::Duration most_;
  absl::Duration next_;
  std::function<double()> random_;
};

// Numbers in [0, 1) from a generator of the calling thread's own, seeded by the system.
double RandomFraction();

}  // namespace god33
