#include "services/event-store-api/event_ring.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace god33::api {
namespace {

using Where = EventRing::Where;

const Uuid kLog = *Uuid::Parse("6f9619ff-8b86-4011-b42d-00c04fc964ff");
const Uuid kOtherLog = *Uuid::Parse("7f9619ff-8b86-4011-b42d-00c04fc964ff");

// Events of the positions behind `after` up to `end`, of ten bytes each.
std::shared_ptr<const StreamBatch> Batch(std::int64_t after, std::int64_t end) {
  auto batch = std::make_shared<StreamBatch>();
  batch->after = {after, 0};
  batch->end = {end, 0};
  for (std::int64_t position = after + 1; position <= end; ++position) {
    auto entry = std::make_shared<StreamEntry>();
    entry->position = entry->due = position;
    entry->point = {position, 0};
    entry->bytes = 10;
    batch->bytes += 10;
    batch->entries.push_back(std::move(entry));
  }
  return batch;
}

TEST_CASE("the points of a stream are ordered: late events come before the one at their position") {
  CHECK(StreamPoint{4, 0} < StreamPoint{4, 2});
  CHECK(StreamPoint{4, 2} < StreamPoint{4, 3});
  CHECK(StreamPoint{4, 4} < StreamPoint{5, 0});
}

TEST_CASE("a ring gives the batch that holds what follows a point") {
  EventRing ring(100, 10'000);
  ring.Start(kLog, {10, 0});
  CHECK(ring.After(kLog, {10, 0}).where == Where::kAtEnd);
  ring.Add(Batch(10, 15));
  ring.Add(Batch(15, 16));
  ring.Add(Batch(16, 30));
  CHECK(ring.end() == StreamPoint{30, 0});
  const auto end_after = [&ring](std::int64_t position, std::int64_t within = 0) {
    const EventRing::Found found = ring.After(kLog, {position, within});
    REQUIRE(found.where == Where::kInside);
    return found.batch->end.position;
  };
  CHECK(end_after(10) == 15);
  CHECK(end_after(14) == 15);
  CHECK(end_after(14, 3) == 15);
  CHECK(end_after(15) == 16);
  CHECK(end_after(16) == 30);
  CHECK(end_after(29) == 30);
  CHECK(ring.After(kLog, {30, 0}).where == Where::kAtEnd);
  CHECK(ring.After(kLog, {31, 0}).where == Where::kAtEnd);
}

TEST_CASE("who is behind the ring is told so") {
  EventRing ring(100, 10'000);
  ring.Start(kLog, {10, 0});
  ring.Add(Batch(10, 15));
  CHECK(ring.After(kLog, {9, 0}).where == Where::kBehind);
  CHECK(ring.After(kLog, {9, 5}).where == Where::kBehind);
}

TEST_CASE("a ring that was not started, or is of another log, has nothing to give") {
  EventRing ring(100, 10'000);
  CHECK(ring.After(kLog, {0, 0}).where == Where::kAtEnd);
  ring.Start(kLog, {10, 0});
  ring.Add(Batch(10, 15));
  CHECK(ring.After(kOtherLog, {12, 0}).where == Where::kAtEnd);
  CHECK(ring.After(kOtherLog, {2, 0}).where == Where::kAtEnd);
}

TEST_CASE(
    "a ring drops its oldest batches beyond its bounds, and keeps the newest whatever its size") {
  SECTION("by count") {
    EventRing ring(10, 10'000);
    ring.Start(kLog, {0, 0});
    ring.Add(Batch(0, 5));
    ring.Add(Batch(5, 10));
    CHECK(ring.After(kLog, {0, 0}).where == Where::kInside);
    ring.Add(Batch(10, 11));
    CHECK(ring.After(kLog, {4, 0}).where == Where::kBehind);
    CHECK(ring.After(kLog, {5, 0}).where == Where::kInside);
    ring.Add(Batch(11, 100));
    CHECK(ring.After(kLog, {10, 0}).where == Where::kBehind);
    CHECK(ring.After(kLog, {11, 0}).where == Where::kInside);
  }
  SECTION("by bytes") {
    EventRing ring(1000, 100);
    ring.Start(kLog, {0, 0});
    ring.Add(Batch(0, 10));
    ring.Add(Batch(10, 11));
    CHECK(ring.After(kLog, {0, 0}).where == Where::kBehind);
    CHECK(ring.After(kLog, {10, 0}).where == Where::kInside);
  }
}

TEST_CASE("starting again drops all there was") {
  EventRing ring(100, 10'000);
  ring.Start(kLog, {0, 0});
  ring.Add(Batch(0, 5));
  ring.Start(kOtherLog, {3, 0});
  CHECK(ring.log_id() == kOtherLog);
  CHECK(ring.end() == StreamPoint{3, 0});
  CHECK(ring.After(kLog, {1, 0}).where == Where::kAtEnd);
  CHECK(ring.After(kOtherLog, {1, 0}).where == Where::kBehind);
  CHECK(ring.After(kOtherLog, {3, 0}).where == Where::kAtEnd);
}

TEST_CASE("many follow the ring while it is written, and each is given what follows its point") {
  constexpr std::int64_t kEnd = 5000;
  EventRing ring(50, 10'000);
  ring.Start(kLog, {0, 0});
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&ring, &wrong] {
      StreamPoint point;
      while (point < StreamPoint{kEnd, 0}) {
        const EventRing::Found found = ring.After(kLog, point);
        if (found.where == Where::kInside) {
          const StreamBatch& batch = *found.batch;
          const auto position =
              batch.after.position + static_cast<std::int64_t>(batch.entries.size());
          if (batch.after > point || batch.end <= point || batch.end.position != position) ++wrong;
          point = batch.end;
        } else if (found.where == Where::kBehind) {
          point = ring.end();
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::int64_t after = 0; after < kEnd;) {
    const std::int64_t end = std::min(after + 1 + after % 7, kEnd);
    ring.Add(Batch(after, end));
    after = end;
  }
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace god33::api
