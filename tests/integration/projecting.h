#pragma once

#include <catch2/catch.hpp>
#include <memory>

#include "base/error.h"
#include "services/event-store-manager/projector.h"
#include "testing/servers.h"

namespace god33::testing {

// A projector that is stepped by hand.
class Projecting {
 public:
  explicit Projecting(const TestDatabase& database, const std::string& holder = "test",
                      int retention_months = 0)
      : projector_(database.Writer(), metrics_, retention_months),
        connection_(TestDatabase::Connect(database.Writer())) {
    auto lease = eventlog::AcquireCursor(*connection_, "projector", holder, absl::Seconds(60));
    REQUIRE(lease.ok());
    REQUIRE(*lease);
    lease_ = **lease;
  }

  void Step() { REQUIRE(projector_.Step(*connection_, lease_).ok()); }

  // Why it can't, if it can't.
  std::string TryStep() { return ReasonOf(projector_.Step(*connection_, lease_).status()); }

  void CatchUp() {
    for (;;) {
      const auto more = projector_.Step(*connection_, lease_);
      REQUIRE(more.ok());
      if (!*more) return;
    }
  }

  std::int64_t position() const { return lease_.position; }

 private:
  prometheus::Registry registry_;
  manager::Metrics metrics_{registry_};
  manager::Projector projector_;
  std::unique_ptr<pg::Connection> connection_;
  eventlog::CursorLease lease_;
};

}  // namespace god33::testing
