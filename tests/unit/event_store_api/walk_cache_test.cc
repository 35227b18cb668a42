#include "services/event-store-api/walk_cache.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace god33::api {
namespace {

WalkCache::Key KeyOf(std::int64_t root) {
  return {.log_id = {}, .limits = {.root = root, .max_depth = 100, .head = 1'000'000}};
}

// A walk over `nodes` events.
std::shared_ptr<const Reach> ReachOf(std::int64_t nodes) {
  causation::Walk walk(1, 100);
  std::vector<causation::Step> steps;
  for (std::int64_t i = 2; i <= nodes; ++i) steps.push_back({1, i});
  walk.Finish(std::move(steps));
  return std::make_shared<const Reach>(Reach{.walk = std::move(walk)});
}

TEST_CASE("a walk is found by what it was limited to, and by nothing else") {
  WalkCache cache;
  const auto reach = ReachOf(3);
  cache.Put(KeyOf(1), reach);
  CHECK(cache.Find(KeyOf(1)) == reach);
  CHECK(cache.Find(KeyOf(2)) == nullptr);
  WalkCache::Key other = KeyOf(1);
  other.limits.head = 7;
  CHECK(cache.Find(other) == nullptr);
  other = KeyOf(1);
  other.limits.direction = Direction::kAncestors;
  CHECK(cache.Find(other) == nullptr);
  other = KeyOf(1);
  other.limits.max_depth = 7;
  CHECK(cache.Find(other) == nullptr);
  other = KeyOf(1);
  other.log_id.bytes[0] = 1;
  CHECK(cache.Find(other) == nullptr);
}

TEST_CASE("the walks used last stay, as many as are allowed") {
  WalkCache cache;
  const auto most = static_cast<std::int64_t>(WalkCache::kMostWalks);
  for (std::int64_t root = 1; root <= most; ++root) cache.Put(KeyOf(root), ReachOf(2));
  CHECK(cache.Find(KeyOf(1)) != nullptr);
  cache.Put(KeyOf(most + 1), ReachOf(2));
  CHECK(cache.Find(KeyOf(1)) != nullptr);
  CHECK(cache.Find(KeyOf(2)) == nullptr);
}

TEST_CASE("large walks make room for each other") {
  WalkCache cache;
  const auto half = static_cast<std::int64_t>(WalkCache::kMostCached / 2);
  cache.Put(KeyOf(1), ReachOf(half));
  cache.Put(KeyOf(2), ReachOf(half));
  cache.Put(KeyOf(2), ReachOf(half));  // counts once
  CHECK(cache.Find(KeyOf(1)) != nullptr);
  cache.Put(KeyOf(3), ReachOf(2));
  CHECK(cache.Find(KeyOf(2)) == nullptr);
  CHECK(cache.Find(KeyOf(1)) != nullptr);
  CHECK(cache.Find(KeyOf(3)) != nullptr);
}

TEST_CASE("walks are put and found by many at once") {
  WalkCache cache;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&cache, &wrong] {
      for (int round = 0; round < 500; ++round) {
        const std::int64_t root = 2 + round % 40;  // more than stay
        const auto found = cache.Find(KeyOf(root));
        if (found == nullptr) {
          cache.Put(KeyOf(root), ReachOf(root));
        } else if (found->walk.nodes().size() != static_cast<std::size_t>(root)) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace god33::api
