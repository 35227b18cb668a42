#include "base/executor.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <set>

#include "absl/synchronization/barrier.h"
#include "absl/synchronization/notification.h"

namespace god33 {
namespace {

TEST_CASE("submitted work is run") {
  Executor executor(1, 1);
  absl::Notification done;
  REQUIRE(executor.TrySubmit([&done] { done.Notify(); }));
  done.WaitForNotification();
}

TEST_CASE("work runs in the order it was submitted when there is one thread") {
  std::vector<int> order;
  {
    Executor executor(1, 100);
    for (int i = 0; i < 100; ++i) {
      REQUIRE(executor.TrySubmit([&order, i] { order.push_back(i); }));
    }
  }
  REQUIRE(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("as many works as threads run at once") {
  constexpr int kThreads = 3;
  absl::Mutex mutex;
  std::set<std::thread::id> threads;
  // Passed only when all three are inside.
  auto* barrier = new absl::Barrier(kThreads);
  {
    Executor executor(kThreads, kThreads);
    for (int i = 0; i < kThreads; ++i) {
      REQUIRE(executor.TrySubmit([&] {
        {
          absl::MutexLock lock(&mutex);
          threads.insert(std::this_thread::get_id());
        }
        if (barrier->Block()) delete barrier;
      }));
    }
  }
  CHECK(threads.size() == kThreads);
}

TEST_CASE("work is refused when the queue is full, and dropped unrun") {
  absl::Notification started, release;
  std::atomic<int> ran = 0;
  const auto token = std::make_shared<int>(0);
  {
    Executor executor(1, 2);
    REQUIRE(executor.TrySubmit([&] {
      started.Notify();
      release.WaitForNotification();
    }));
    started.WaitForNotification();  // the thread is busy, the queue is empty
    CHECK(executor.queued() == 0);
    CHECK(executor.TrySubmit([&ran] { ++ran; }));
    CHECK(executor.TrySubmit([&ran] { ++ran; }));
    CHECK(executor.queued() == 2);
    CHECK_FALSE(executor.TrySubmit([&ran, token] { ran += 100; }));
    CHECK(token.use_count() == 1);
    CHECK(executor.queued() == 2);
    release.Notify();
  }
  CHECK(ran == 2);
}

TEST_CASE("there is room again once work was taken from the queue") {
  Executor executor(1, 1);
  for (int i = 0; i < 100; ++i) {
    absl::Notification done;
    REQUIRE(executor.TrySubmit([&done] { done.Notify(); }));
    done.WaitForNotification();
  }
}

TEST_CASE("an executor without a queue refuses everything") {
  Executor executor(1, 0);
  CHECK_FALSE(executor.TrySubmit([] {}));
}

TEST_CASE("what was accepted is finished before the executor is gone") {
  std::atomic<int> ran = 0;
  {
    Executor executor(2, 1000);
    for (int i = 0; i < 1000; ++i) REQUIRE(executor.TrySubmit([&ran] { ++ran; }));
  }
  CHECK(ran == 1000);
}

TEST_CASE("work that submits work is refused once the executor closes") {
  absl::Notification started;
  std::int64_t accepted = 0;
  bool refused = false;
  {
    Executor executor(1, SIZE_MAX);
    REQUIRE(executor.TrySubmit([&] {
      started.Notify();
      // The queue never fills, so only closing can end this.
      while (executor.TrySubmit([] {})) ++accepted;
      refused = true;
    }));
    started.WaitForNotification();
  }
  CHECK(refused);
}

TEST_CASE("work may own what can only be moved") {
  int seen = 0;
  {
    Executor executor(1, 1);
    auto value = std::make_unique<int>(7);
    REQUIRE(executor.TrySubmit([&seen, value = std::move(value)] { seen = *value; }));
  }
  CHECK(seen == 7);
}

}  // namespace
}  // namespace god33
