#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <utility>

#include "absl/time/time.h"

namespace god33::http {

// A timer with one callback, which runs on the executor. Unlike with a bare timer it never runs
// after Cancel or a new Set, even if the time was over already. To be used on the executor only.
class Deadline {
 public:
  template <typename Executor>
  explicit Deadline(const Executor& executor) : timer_(executor) {}

  // `callback` must keep the deadline's owner alive. Never called for an infinite `wait`.
  template <typename Callback>
  void Set(absl::Duration wait, Callback callback) {
    Cancel();
    if (wait == absl::InfiniteDuration()) return;
    timer_.expires_after(absl::ToChronoNanoseconds(wait));
    timer_.async_wait([this, set = ++sets_, callback = std::move(callback)](auto error) mutable {
      if (!error && set == sets_) callback();
    });
  }

  void Cancel() {
    ++sets_;
    timer_.cancel();
  }

 private:
  boost::asio::steady_timer timer_;
  std::uint64_t sets_ = 0;
};

}  // namespace god33::http
