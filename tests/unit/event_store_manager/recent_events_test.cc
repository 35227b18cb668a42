#include "services/event-store-manager/recent_events.h"

#include <catch2/catch.hpp>

namespace god33::manager {
namespace {

Uuid Id(int n) {
  return *Uuid::Parse("00000000-0000-4000-8000-0000000000" + std::to_string(10 + n));
}

TEST_CASE("an event is remembered with its content, until enough others came") {
  RecentEvents recent(3);
  for (int n = 1; n <= 3; ++n) recent.Add(Id(n), Id(50 + n), n);
  CHECK(recent.Find(Id(1), Id(51)) == 1);
  CHECK(recent.Find(Id(1), Id(52)) == std::nullopt);
  CHECK(recent.Find(Id(4), Id(54)) == std::nullopt);

  recent.Add(Id(1), Id(51), 1);  // no news
  recent.Add(Id(4), Id(54), 4);
  CHECK(recent.Find(Id(1), Id(51)) == std::nullopt);
  for (int n = 2; n <= 4; ++n) CHECK(recent.Find(Id(n), Id(50 + n)) == n);
  for (int n = 5; n <= 20; ++n) recent.Add(Id(n), Id(50 + n), n);
  for (int n = 1; n <= 17; ++n) CHECK(recent.Find(Id(n), Id(50 + n)) == std::nullopt);
  for (int n = 18; n <= 20; ++n) CHECK(recent.Find(Id(n), Id(50 + n)) == n);
}

TEST_CASE("nothing is left after a clear, and there is room again") {
  RecentEvents recent(2);
  for (int n = 1; n <= 3; ++n) recent.Add(Id(n), Id(50 + n), n);
  recent.Clear();
  for (int n = 1; n <= 3; ++n) CHECK(recent.Find(Id(n), Id(50 + n)) == std::nullopt);
  for (int n = 4; n <= 6; ++n) recent.Add(Id(n), Id(50 + n), n);
  CHECK(recent.Find(Id(4), Id(54)) == std::nullopt);
  CHECK(recent.Find(Id(5), Id(55)) == 5);
  CHECK(recent.Find(Id(6), Id(56)) == 6);
}

}  // namespace
}  // namespace god33::manager
