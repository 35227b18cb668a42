#pragma once

#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/time/time.h"

namespace god33::cli {

// Runs `work` and waits for its result, at most for `most`: for calls into libraries that may wait
// longer than they are told (looking up a host's name, writing to a peer that doesn't read).
// Nullopt: it goes on by itself, on a thread nobody waits for, so it must own what it uses, and the
// process should end soon.
template <typename Work>
auto RunAtMost(absl::Duration most, Work work) -> std::optional<decltype(work())> {
  auto promise = std::make_shared<std::promise<decltype(work())>>();
  auto result = promise->get_future();
  std::thread([promise, work = std::move(work)]() mutable { promise->set_value(work()); }).detach();
  if (result.wait_for(absl::ToChronoNanoseconds(most)) != std::future_status::ready) {
    return std::nullopt;
  }
  return result.get();
}

}  // namespace god33::cli
