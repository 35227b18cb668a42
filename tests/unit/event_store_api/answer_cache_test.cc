#include "services/event-store-api/answer_cache.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <thread>
#include <vector>

#include "god33/store/v1/event_store.pb.h"
#include "services/event-store-api/turns.h"

namespace god33::api {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNow = 100 * kSecond;

const auth::Principal kAnybody;

Uuid IdOf(int n) {
  Uuid id;
  id.bytes[0] = static_cast<std::uint8_t>(n);
  id.bytes[1] = static_cast<std::uint8_t>(n >> 8);
  return id;
}

const Uuid kLog = IdOf(999);

AnswerKey Event(int n) {
  return {.kind = AnswerKind::kEvent, .id = IdOf(n)};
}
AnswerKey Workflow(int n) {
  return {.kind = AnswerKind::kWorkflow, .id = IdOf(n)};
}
AnswerKey Session(int n) {
  return {.kind = AnswerKind::kSession, .id = IdOf(n)};
}

LogPoint At(std::int64_t head, std::int64_t projected) {
  return {.log_id = kLog, .head = head, .projected = projected, .horizon = 1};
}

AnswerCache::Answer AnswerAt(const LogPoint& point, std::size_t size = 0) {
  auto workflow = std::make_shared<store::v1::Workflow>();
  workflow->set_project_name(std::string(size, 'x'));
  return {.message = std::move(workflow), .point = point};
}

// A cache whose tail has seen the log at `point`, and who is asked for states.
struct Fixture {
  explicit Fixture(std::size_t bytes = 1 << 20, const LogPoint& point = At(10, 10))
      : cache(bytes, metrics) {
    cache.Skip(point, kNow);
    cache.Find(Workflow(0), 0, kAnybody, kNow);
  }

  // Where what is found is true; 0: nothing is.
  std::int64_t Find(const AnswerKey& key, std::int64_t min_position = 0, std::int64_t now = kNow) {
    return cache.Find(key, min_position, kAnybody, now).position;
  }

  prometheus::Registry registry;
  CacheMetrics metrics{registry};
  AnswerCache cache;
};

TEST_CASE("a state is found for as long as nothing that belongs to it is stored") {
  Fixture f;
  f.cache.Put(Workflow(1), AnswerAt(At(10, 10)));
  f.cache.Put(Workflow(2), AnswerAt(At(10, 10)));
  CHECK(f.Find(Workflow(1)) == 10);
  f.cache.Advance(At(12, 10), {.events = {{Workflow(1), 12}}}, kNow);
  CHECK(f.Find(Workflow(1)) == 0);
  CHECK(f.Find(Workflow(2)) == 10);
  // Read after the event was stored, but before it was folded.
  f.cache.Put(Workflow(1), AnswerAt(At(12, 11)));
  CHECK(f.Find(Workflow(1)) == 0);
  f.cache.Put(Workflow(1), AnswerAt(At(12, 12)));
  CHECK(f.Find(Workflow(1)) == 12);
  f.cache.Advance(At(20, 15), {}, kNow);
  CHECK(f.Find(Workflow(1)) == 15);
  CHECK(f.Find(Workflow(2)) == 15);
}

TEST_CASE("a state that was read before the tail's position is not taken in") {
  Fixture f;
  f.cache.Advance(At(20, 20), {.events = {{Workflow(1), 15}}}, kNow);
  f.cache.Put(Workflow(1), AnswerAt(At(20, 14)));
  f.cache.Put(Workflow(2), AnswerAt(At(20, 19)));
  CHECK(f.Find(Workflow(1)) == 0);
  CHECK(f.Find(Workflow(2)) == 0);
  f.cache.Put(Workflow(2), AnswerAt(At(25, 22)));
  CHECK(f.Find(Workflow(2)) == 22);
  // The tail comes after it.
  f.cache.Advance(At(25, 22), {.events = {{Workflow(2), 21}}, .late = {{Workflow(2), 22}}}, kNow);
  CHECK(f.Find(Workflow(2)) == 22);
  // An older one does not replace it.
  f.cache.Put(Workflow(2), AnswerAt(At(25, 22)));
  f.cache.Put(Workflow(2), AnswerAt(At(25, 21)));
  CHECK(f.Find(Workflow(2)) == 22);
}

TEST_CASE("late members take a state away when they are folded") {
  Fixture f;
  f.cache.Put(Workflow(1), AnswerAt(At(10, 10)));
  f.cache.Advance(At(14, 13), {.late = {{Workflow(1), 13}}}, kNow);
  CHECK(f.Find(Workflow(1)) == 0);
  f.cache.Put(Workflow(1), AnswerAt(At(14, 13)));
  CHECK(f.Find(Workflow(1)) == 13);
}

TEST_CASE("an event that may name any session takes all of them away") {
  Fixture f;
  f.cache.Put(Session(1), AnswerAt(At(10, 10)));
  f.cache.Put(Workflow(1), AnswerAt(At(10, 10)));
  f.cache.Advance(At(12, 10), {.any_session = 12}, kNow);
  CHECK(f.Find(Session(1)) == 0);
  CHECK(f.Find(Workflow(1)) == 10);
  f.cache.Put(Session(1), AnswerAt(At(12, 11)));
  CHECK(f.Find(Session(1)) == 0);
  f.cache.Put(Session(1), AnswerAt(At(12, 12)));
  CHECK(f.Find(Session(1)) == 12);
}

TEST_CASE("what the tail has skipped is forgotten, and nothing older comes back") {
  Fixture f;
  f.cache.Put(Workflow(1), AnswerAt(At(10, 10)));
  f.cache.Put(Event(1), AnswerAt(At(10, 10)));
  f.cache.Skip(At(100, 50), kNow);
  CHECK(f.Find(Workflow(1)) == 0);
  CHECK(f.Find(Event(1)) == 100);
  f.cache.Put(Workflow(1), AnswerAt(At(100, 99)));
  CHECK(f.Find(Workflow(1)) == 0);
  f.cache.Put(Workflow(1), AnswerAt(At(100, 100)));
  CHECK(f.Find(Workflow(1)) == 100);
}

TEST_CASE("too many aggregates that wait for the projector are forgotten together") {
  Fixture f;
  AnswerCache::Touches touches;
  const auto most = static_cast<int>(AnswerCache::kMostPending);
  for (int i = 0; i <= most; ++i) touches.events.push_back({Workflow(i), 11 + i});
  f.cache.Put(Workflow(60'000), AnswerAt(At(10, 10)));
  f.cache.Advance(At(11 + most, 10), touches, kNow);
  CHECK(f.Find(Workflow(60'000)) == 0);
  f.cache.Put(Workflow(60'000), AnswerAt(At(11 + most, 10 + most)));
  CHECK(f.Find(Workflow(60'000)) == 0);
  f.cache.Put(Workflow(60'000), AnswerAt(At(11 + most, 11 + most)));
  CHECK(f.Find(Workflow(60'000)) == 11 + most);
}

TEST_CASE(
    "a state of the middle of a position, or of what is frozen, is not kept, nor the one before") {
  Fixture f;
  LogPoint middle = At(12, 11);
  middle.within = 1;
  f.cache.Put(Workflow(1), AnswerAt(At(10, 10)));
  f.cache.Put(Workflow(1), AnswerAt(middle));
  CHECK(f.Find(Workflow(1)) == 0);
  AnswerCache::Answer frozen = AnswerAt(At(12, 12));
  frozen.frozen = true;
  f.cache.Put(Workflow(2), AnswerAt(At(10, 10)));
  f.cache.Put(Workflow(2), frozen);
  CHECK(f.Find(Workflow(2)) == 0);
  // Nor one that was read before, and comes later.
  f.cache.Put(Workflow(1), AnswerAt(At(12, 10)));
  f.cache.Put(Workflow(2), AnswerAt(At(12, 11)));
  CHECK(f.Find(Workflow(1)) == 0);
  CHECK(f.Find(Workflow(2)) == 0);
}

TEST_CASE("nothing is found before the first look of the tail, and a second after the last") {
  prometheus::Registry registry;
  CacheMetrics metrics(registry);
  AnswerCache cache(1 << 20, metrics);
  cache.Put(Event(1), AnswerAt(At(10, 10)));
  CHECK_FALSE(cache.Find(Event(1), 0, kAnybody, kNow));
  CHECK_FALSE(cache.Serves(Event(1), 0, kNow));
  cache.Skip(At(10, 10), kNow);
  cache.Put(Event(1), AnswerAt(At(10, 10)));
  CHECK(cache.Find(Event(1), 0, kAnybody, kNow + kSecond));
  CHECK(metrics.bypassed_tail.Value() == 1);
  CHECK_FALSE(cache.Find(Event(1), 0, kAnybody, kNow + kSecond + 1));
  CHECK_FALSE(cache.Serves(Event(1), 0, kNow + kSecond + 1));
  CHECK(metrics.bypassed_tail.Value() == 2);
  cache.Skip(At(11, 11), kNow + 2 * kSecond);
  CHECK(cache.Find(Event(1), 0, kAnybody, kNow + 2 * kSecond).position == 11);
}

TEST_CASE("a position that memory does not reach is asked of the database") {
  Fixture f(1 << 20, At(15, 15));
  f.cache.Advance(At(20, 15), {}, kNow);
  f.cache.Put(Workflow(1), AnswerAt(At(20, 20)));
  f.cache.Put(Workflow(2), AnswerAt(At(25, 25)));
  f.cache.Put(Event(1), AnswerAt(At(10, 10)));
  CHECK(f.Find(Workflow(1), 20) == 20);
  CHECK(f.Find(Workflow(1), 21) == 0);
  CHECK(f.Find(Workflow(2), 25) == 25);
  CHECK(f.Find(Event(1), 20) == 20);
  CHECK(f.Find(Event(1), 21) == 0);
  CHECK(f.metrics.bypassed_min_position.Value() == 2);
  CHECK(f.cache.Serves(Workflow(3), 15, kNow));
  CHECK_FALSE(f.cache.Serves(Workflow(3), 16, kNow));
  // A state that waits for the projector would not be kept.
  f.cache.Advance(At(21, 20), {.events = {{Workflow(3), 21}}}, kNow);
  CHECK_FALSE(f.cache.Serves(Workflow(3), 0, kNow));
  CHECK(f.cache.Serves(Workflow(4), 0, kNow));
}

TEST_CASE("another log, one that was set back, and rebuilt projections leave nothing stale") {
  for (const int what : {0, 1, 2, 3}) {
    Fixture f;
    f.cache.Put(Workflow(1), AnswerAt(At(10, 10)));
    f.cache.Put(Event(1), AnswerAt(At(10, 10)));
    LogPoint other = At(12, 12);
    if (what == 0) other.log_id = IdOf(1);
    if (what == 1) other = At(9, 9);
    if (what == 2) other = At(10, 9);
    if (what == 3) other.generation = 1;
    f.cache.Skip(other, kNow);
    CHECK(f.Find(Workflow(1)) == 0);
    CHECK((f.Find(Event(1)) != 0) == (what == 3));
    // What was read before the change comes too late.
    f.cache.Put(Workflow(2), AnswerAt(At(20, 20)));
    CHECK((f.Find(Workflow(2)) != 0) == (what == 1 || what == 2));
  }
}

TEST_CASE("what shows events below the horizon is not found") {
  Fixture f;
  AnswerCache::Answer old = AnswerAt(At(10, 10));
  old.oldest = 5;
  f.cache.Put(Event(1), old);
  f.cache.Put(Session(1), old);
  f.cache.Put(Workflow(1), AnswerAt(At(10, 10)));
  LogPoint dropped = At(10, 10);
  dropped.horizon = 5;
  f.cache.Advance(dropped, {}, kNow);
  CHECK(f.Find(Event(1)) == 10);
  dropped.horizon = 6;
  f.cache.Advance(dropped, {}, kNow);
  CHECK(f.Find(Event(1)) == 0);
  CHECK(f.Find(Session(1)) == 0);
  CHECK(f.Find(Workflow(1)) == 10);
}

TEST_CASE("who may see only some projects finds what is known to be of them") {
  Fixture f;
  AnswerCache::Answer owned = AnswerAt(At(10, 10));
  owned.project = "a";
  f.cache.Put(Event(1), owned);
  f.cache.Put(Event(2), AnswerAt(At(10, 10)));
  const auth::Principal a{.all_projects = false, .projects = {"a", ""}};
  const auth::Principal b{.all_projects = false, .projects = {"b"}};
  CHECK(f.cache.Find(Event(1), 0, a, kNow));
  CHECK_FALSE(f.cache.Find(Event(1), 0, b, kNow));
  CHECK_FALSE(f.cache.Find(Event(2), 0, a, kNow));
}

TEST_CASE("the answers used last stay within the bytes that are allowed") {
  constexpr std::size_t kBytes = 100'000;
  Fixture f(kBytes);
  for (int i = 0; i < 200; ++i) {
    f.cache.Put(Event(i), AnswerAt(At(10, 10), 5000));
    f.Find(Event(0));
    REQUIRE(f.metrics.bytes.Value() <= kBytes);
  }
  CHECK(f.Find(Event(0)) == 10);
  CHECK(f.Find(Event(199)) == 10);
  CHECK(f.Find(Event(100)) == 0);
  CHECK(f.metrics.event.entries.Value() > 10);
  CHECK(f.metrics.event.entries.Value() + f.metrics.event.evictions.Value() == 200);
  // One that would push out nearly all others is not taken in.
  f.cache.Put(Event(500), AnswerAt(At(10, 10), kBytes / 8));
  CHECK(f.Find(Event(500)) == 0);
  f.cache.Skip({.log_id = IdOf(7)}, kNow);
  CHECK(f.metrics.event.entries.Value() == 0);
  CHECK(f.metrics.bytes.Value() == 0);
}

TEST_CASE("with no bytes nothing is kept and nothing counted") {
  Fixture f(0);
  f.cache.Put(Event(1), AnswerAt(At(10, 10)));
  CHECK(f.Find(Event(1)) == 0);
  CHECK(f.metrics.event.misses.Value() == 0);
  CHECK(f.metrics.bypassed_tail.Value() == 0);
  CHECK_FALSE(f.cache.Serves(Event(1), 0, kNow));
}

// A log whose every event belongs to one workflow and is folded a while later. Late members come with some.
struct Model {
  std::vector<int> workflow_of{-1};        // by position
  std::vector<std::vector<int>> late{{}};  // workflows that are joined at a position
  std::int64_t projected = 0;

  std::int64_t head() const { return static_cast<std::int64_t>(workflow_of.size()) - 1; }

  // How many items have been folded into the workflow up to a position.
  std::int64_t VersionAt(int workflow, std::int64_t position) const {
    std::int64_t version = 0;
    for (std::size_t i = 1; i <= static_cast<std::size_t>(position); ++i) {
      version += workflow_of[i] == workflow;
      version += std::count(late[i].begin(), late[i].end(), workflow);
    }
    return version;
  }
};

TEST_CASE(
    "whatever the order of writes, folds, reads and looks, what is found is true where it says") {
  int found = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    Fixture f(1 << 20, At(0, 0));
    Model model;
    // Reads that are under way: taken from the database, not yet put in.
    std::vector<std::pair<int, LogPoint>> reads;
    LogPoint seen = At(0, 0);
    for (int step = 0; step < 300; ++step) {
      const int workflow = static_cast<int>(random() % 5);
      switch (random() % 7) {
        case 0:
          model.workflow_of.push_back(workflow);
          model.late.emplace_back();
          // Known when the projector comes there, at the latest.
          if (random() % 4 == 0) model.late.back().push_back(static_cast<int>(random() % 5));
          break;
        case 1:
          model.projected = std::min<std::int64_t>(model.head(), model.projected + random() % 4);
          break;
        case 2:
          reads.emplace_back(workflow, At(model.head(), model.projected));
          break;
        case 3:
          if (!reads.empty()) {
            const std::size_t any = random() % reads.size();
            const auto [of, point] = reads[any];
            auto state = std::make_shared<store::v1::Workflow>();
            state->set_version(model.VersionAt(of, point.projected));
            f.cache.Put(Workflow(of), {.message = std::move(state), .point = point});
            reads.erase(reads.begin() + static_cast<std::ptrdiff_t>(any));
          }
          break;
        case 4: {
          const LogPoint now = At(model.head(), model.projected);
          AnswerCache::Touches touches;
          for (std::int64_t i = seen.head + 1; i <= now.head; ++i) {
            touches.events.push_back({Workflow(model.workflow_of[static_cast<std::size_t>(i)]), i});
          }
          for (std::int64_t i = seen.projected + 1; i <= now.projected; ++i) {
            for (const int late : model.late[static_cast<std::size_t>(i)]) {
              touches.late.push_back({Workflow(late), i});
            }
          }
          if (random() % 20 == 0) {
            f.cache.Skip(now, kNow);
          } else {
            f.cache.Advance(now, touches, kNow);
          }
          seen = now;
          break;
        }
        default: {
          const auto answer = f.cache.Find(Workflow(workflow), 0, kAnybody, kNow);
          if (!answer) break;
          ++found;
          const auto& state = dynamic_cast<const store::v1::Workflow&>(*answer.message);
          REQUIRE(answer.position <= model.projected);
          REQUIRE(state.version() == model.VersionAt(workflow, answer.position));
        }
      }
    }
  }
  CHECK(found > 1000);
}

TEST_CASE("of several who want the same thing one goes ahead, but is not waited for too long") {
  Turns<int> turns;
  {
    const auto first = turns.Take(1, absl::ZeroDuration());
    CHECK_FALSE(first.waited());
    CHECK_FALSE(turns.Take(2, absl::ZeroDuration()).waited());
    // Both have waited: neither holds up the other.
    const auto second = turns.Take(1, absl::Milliseconds(1));
    CHECK(second.waited());
    CHECK(turns.Take(1, absl::Milliseconds(1)).waited());
  }
  CHECK_FALSE(turns.Take(1, absl::ZeroDuration()).waited());

  std::atomic<int> ahead{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 2000; ++round) {
        const auto turn = turns.Take(3, absl::Seconds(20));
        if (turn.waited()) continue;
        wrong += ++ahead != 1;
        --ahead;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace god33::api
